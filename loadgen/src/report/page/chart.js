// What charts share: uPlot with our axes and colours, a legend that follows the cursor, both
// schemes, and a sentence where there is nothing to draw.

const charts = [];
const COLOURS = ["one", "two", "three", "four", "five", "six"];
const colour = (name) => getComputedStyle(document.body).getPropertyValue("--" + name).trim();
const LEAST_WIDTH = 160;
const roomOf = (holder) =>
  ({ width: Math.max(holder.clientWidth, LEAST_WIDTH), height: holder.clientHeight });

// A figure: `lines` are { label, values, colour, dash, isArea, isBar, highest }, `axes` is what
// uPlot asks for, `at` says where the cursor is. With a reason there is no chart.
function figure({ title, about, reason, isWide, ...chart }) {
  const span = make("span", { class: "span" });
  const caption = make("figcaption", null, make("span", { class: "title" }, title), span,
    about && make("span", { class: "about" }, about));
  const attributes = { class: isWide && "broad" };
  if (reason) return make("figure", attributes, caption, make("p", { class: "empty" }, reason));
  const holder = make("div", { class: "plot", "aria-hidden": "true" });
  const keys = chart.lines.map((line) => {
    const value = make("b");
    return { line, value, item: make("li", null, swatch(line), line.label, value) };
  });
  const show = (index) => {
    span.textContent = isNumber(index) ? chart.at(index) : chart.rest || "highest";
    for (const { line, value } of keys) {
      const found = isNumber(index) ? line.shown?.[index] ?? line.values[index] : highest(line);
      value.textContent = chart.say(found);
    }
  };
  show(null);
  charts.push({ ...chart, holder, show, plot: null });
  return make("figure", attributes, caption, holder,
    make("ul", { class: "keys" }, keys.map(({ item }) => item)));
}

const highest = ({ values, shown, highest: known }) => known ?? (shown || values)
  .reduce((most, value) => (isNumber(value) && !(most >= value) ? value : most), null);

function swatch({ colour: name, dash, isBar }) {
  return make("svg", { viewBox: "0 0 20 8", "aria-hidden": "true", class: "key-" + name },
    make("line", { x1: 0, y1: 4, x2: 20, y2: 4, "stroke-width": isBar ? 8 : 2.5,
      "stroke-dasharray": dash && dash.join(" ") }));
}

// Charts are drawn when all of them are in the page, because only then they have a width.
function drawCharts() {
  charts.forEach(draw);
  charts.forEach(({ holder }) => resized.observe(holder));
}

function draw(one) {
  const font = "12px " + getComputedStyle(document.body).fontFamily;
  const axis = {
    stroke: colour("soft"), font, grid: { stroke: colour("line"), width: 1 },
    ticks: { show: false },
  };
  const [x, y] = one.axes;
  one.plot?.destroy();
  one.plot = new uPlot({
    ...roomOf(one.holder),
    padding: [one.stages ? 20 : 8, 22, 0, 0],
    legend: { show: false },
    cursor: {
      sync: one.sync && { key: one.sync }, drag: { x: false, y: false }, y: false,
      points: { size: 5 },
    },
    scales: one.scales,
    series: [{}, ...one.lines.map(series)],
    axes: [
      { ...axis, space: 64, size: 28, gap: 6, ...x },
      // Our marks are as many as fit: none is left out.
      { ...axis, size: 66, space: 30, filter: (_, marks) => marks, ...y },
    ],
    hooks: {
      drawClear: one.stages ? [drawStages] : [],
      draw: one.limit ? [(plot) => drawLimit(plot, one.limit)] : [],
      setCursor: [(plot) => one.show(plot.cursor.idx)],
    },
  }, [one.x, ...one.lines.map(({ values }) => values)], one.holder);
}

function series({ values, colour: name, dash, isArea, isBar }) {
  const stroke = colour(name);
  const known = values.filter(isNumber).length;
  return {
    stroke, dash, width: isBar ? 0 : 1.7, spanGaps: false,
    fill: isBar ? stroke : isArea && `color-mix(in srgb, ${stroke} 11%, transparent)`,
    paths: isBar ? uPlot.paths.bars({ size: [0.8, 24, 2] }) : undefined,
    // Where single values stand between gaps there is no line to see.
    points: { show: !isBar && known < 60 && values.some(isLonely), size: 4, fill: stroke },
  };
}

const isLonely = (value, at, values) =>
  isNumber(value) && !isNumber(values[at - 1]) && !isNumber(values[at + 1]);

// Ramps are shaded; where a stage begins there is a line and its name.
function drawStages(plot) {
  const { ctx, bbox } = plot;
  const place = (at) => Math.min(Math.max(plot.valToPos(at, "x", true), bbox.left),
    bbox.left + bbox.width);
  ctx.save();
  ctx.font = 11 * devicePixelRatio + "px " + getComputedStyle(document.body).fontFamily;
  for (const stage of record.stages) {
    const [from, to] = [place(stage.start_seconds), place(stage.end_seconds)];
    if (stage.name !== "hold") {
      ctx.fillStyle = colour("shade");
      ctx.fillRect(from, bbox.top, to - from, bbox.height);
    }
    ctx.fillStyle = colour("soft");
    if (stage.start_seconds > 0) {
      ctx.fillRect(Math.round(from), bbox.top - 14 * devicePixelRatio, devicePixelRatio,
        bbox.height + 14 * devicePixelRatio);
    }
    const name = spoken(stage.name);
    const inset = (stage.start_seconds > 0 ? 5 : 0) * devicePixelRatio;
    if (ctx.measureText(name).width + inset < to - from) {
      ctx.fillText(name, from + inset, bbox.top - 6 * devicePixelRatio);
    }
  }
  ctx.restore();
}

// The value from which a run would be invalid, where it is in sight.
function drawLimit(plot, limit) {
  const { ctx, bbox } = plot;
  const y = Math.round(plot.valToPos(limit, "y", true));
  if (y < bbox.top) return;
  ctx.save();
  ctx.strokeStyle = colour("fail");
  ctx.lineWidth = 1.2 * devicePixelRatio;
  ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}

// From zero, with some room above; never less high than `least`, so that noise is no storm.
const fromZero = (least, top) =>
  ({ range: (_, low, high) => [0, top || Math.max(least, (high || 0) * 1.12)] });

// Latencies differ by decades: the scale is logarithmic.
const decades = { distr: 3, range: (_, low, high) => (
  isNumber(low) && low > 0 ? [low / 1.3, Math.max(high * 1.3, low * 4)] : [0.001, 1]) };

function decadeMarks(plot) {
  const { min, max } = plot.scales.y;
  const powers = [];
  for (let power = Math.floor(Math.log10(min)); power <= Math.log10(max); power += 1) {
    powers.push(Number("1e" + power));
  }
  const inside = (steps) => powers.flatMap((power) => steps.map((step) => step * power))
    .filter((value) => value >= min && value <= max);
  const [many, some] = [inside([1, 2, 5]), inside([1, 3])];
  return many.length <= 6 ? many : some.length <= 6 ? some : inside([1]);
}

const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const { plot } = charts.find(({ holder }) => holder === target) || {};
    const room = roomOf(target);
    if (plot && (room.width !== plot.width || room.height !== plot.height)) plot.setSize(room);
  }
});

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.forEach(draw));
