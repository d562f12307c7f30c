// Lines over time, alone or stacked, with the numbers of alerts as dashed lines.

const LINE_WIDTH = 1.5;
const LIMIT_DASH = [5, 4];
const ABOVE_HIGHEST = 1.06;

function drawLines(panel, body) {
  const { field, lines: { list, left_out: leftOut } } = panel;
  const known = list.filter(({ values }) => values.some(isNumber));
  const isStacked = field.custom.stacking.mode === "normal";
  const columns = isStacked ? stack(known) : known.map(({ values }) => values);
  const holder = make("div", { class: "plot", "aria-hidden": "true" });
  const legend = legendOf(known, field, leftOut);
  body.append(holder, legend.element);
  const build = () =>
    ({ options: linesOptions(known, field, isStacked), data: [times, ...columns] });
  chart(holder, build, (at) => {
    legend.show(at);
    panel.clock.textContent = isNumber(at) ? moment(times[at]) : "";
  });
}

// Each line on top of those before it; where it has no value, nothing is drawn of it.
function stack(list) {
  const total = times.map(() => 0);
  return list.map(({ values }) => values.map((value, at) => {
    total[at] += value ?? 0;
    return value === null ? null : total[at];
  }));
}

function linesOptions(list, field, isStacked) {
  // Areas that lie over each other would make one grey one.
  const strength = field.custom.fillOpacity / (isStacked ? 1 : Math.max(1, list.length / 3));
  const series = list.map((_, place) => {
    const stroke = colour(lineColour(place));
    const fill = `color-mix(in srgb, ${stroke} ${strength}%, transparent)`;
    return { stroke, fill, width: LINE_WIDTH, points: { show: isLonely(list[place].values) } };
  });
  const above = list.slice(1).map((_, place) => ({ series: [place + 2, place + 1] }));
  return {
    series: [{}, ...series],
    bands: isStacked ? above : [],
    scales: { y: { range: (_, low, high) => reach(low, high, field) } },
    axes: [{
      incrs: DISTANCES[field.unit],
      values: (_, values) => marks(values, field),
    }],
    hooks: { draw: [(plot) => drawLimits(plot, limits(field))] },
  };
}

// A value between two gaps makes no line: it is drawn as a point.
const isLonely = (values) => values.some((value, at) =>
  isNumber(value) && !isNumber(values[at - 1]) && !isNumber(values[at + 1]));

// Grafana's soft bounds: the axis reaches there, and further when a line does.
function reach(low, high, { min, max, custom }) {
  const { axisSoftMin, axisSoftMax } = custom;
  const all = (values) => values.filter(isNumber);
  const room = high > 0 ? high * ABOVE_HIGHEST : high;
  const from = min ?? Math.min(...all([axisSoftMin, low]), 0);
  const to = max ?? Math.max(...all([axisSoftMax, room]), from);
  return to > from ? [from, to] : [from, from + 1];
}

function drawLimits(plot, list) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.lineWidth = 1.25 * devicePixelRatio;
  ctx.setLineDash(LIMIT_DASH.map((length) => length * devicePixelRatio));
  for (const limit of list) {
    const y = Math.round(plot.valToPos(limit.value, "y", true));
    if (y < bbox.top - 1 || y > bbox.top + bbox.height + 1) continue;
    ctx.strokeStyle = colour(`--${limit.colour}`);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  ctx.restore();
}

// Names with values: the last ones, or those under the cursor. Who does not see the lines reads
// these.
function legendOf(list, field, leftOut) {
  const text = (value) => figure(value, field).text;
  const keys = list.map(({ name, values }, place) => {
    const value = make("b", null, text(lastOf(values)));
    const item = make("li", null, swatch(lineColour(place)),
      make("span", { class: "name" }, name || "value"), value);
    return { value, values, item };
  });
  const bounds = limits(field).map((limit) => make("li", { class: "limit" },
    swatch(`--${limit.colour}`, LIMIT_DASH), limit.name, make("b", null, text(limit.value))));
  const rest = leftOut > 0 && make("li", null, `${leftOut} more are not drawn`);
  return {
    element: make("ul", { class: "legend" }, keys.map(({ item }) => item), bounds, rest),
    show(at) {
      for (const { value, values } of keys) {
        value.textContent = text(isNumber(at) ? values[at] : lastOf(values));
      }
    },
  };
}

function swatch(name, dash) {
  const line = make("line", { x1: 0, y1: 3, x2: 14, y2: 3, "stroke-dasharray": dash?.join(" ") });
  return make("svg", { viewBox: "0 0 14 6", "aria-hidden": "true" },
    styled(line, { stroke: `var(${name})` }));
}
