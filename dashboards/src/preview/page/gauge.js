// A dial: the value as an arc, and around it where the colours begin.

const DIAL_TURN = 240;
const DIAL_RADIUS = 80;
const RING_RADIUS = 95;

function drawGauge(panel, body) {
  const { field, lines: { list, left_out: leftOut } } = panel;
  const dials = list.filter(({ values }) => values.some(isNumber)).map((line) => dial(line, field));
  body.append(make("div", { class: "dials" }, dials));
  if (leftOut > 0) body.append(make("p", { class: "legend" }, `${leftOut} more are not drawn`));
}

function dial(line, field) {
  const value = lastOf(line.values);
  const { text, colour: name } = figure(value, field);
  const [min, max] = [field.min ?? 0, field.max ?? 100];
  const share = (number) => Math.min(1, Math.max(0, (number - min) / (max - min)));
  const ring = field.thresholds.steps.map(({ value: from, color }, place, steps) =>
    arc(RING_RADIUS, share(from ?? min), share(steps[place + 1]?.value ?? max), color, 5));
  const drawing = make("svg", { viewBox: "0 0 200 160", "aria-hidden": "true" },
    arc(DIAL_RADIUS, 0, 1, "track", 18), arc(DIAL_RADIUS, 0, share(value), name, 18), ring);
  const words = make("span", { class: "value", "data-colour": name }, text);
  return make("div", { class: "dial" }, drawing, words,
    make("span", { class: "name" }, named(line)));
}

// From and to are shares of the turn.
function arc(radius, from, to, name, width) {
  if (to - from < 0.001) return null;
  const at = (share) => {
    const angle = ((share - 0.5) * DIAL_TURN - 90) * Math.PI / 180;
    return [100 + radius * Math.cos(angle), 102 + radius * Math.sin(angle)]
      .map((number) => number.toFixed(2)).join(" ");
  };
  const large = (to - from) * DIAL_TURN > 180 ? 1 : 0;
  const path = make("path", {
    d: `M${at(from)}A${radius} ${radius} 0 ${large} 1 ${at(to)}`, fill: "none",
    "stroke-width": width,
  });
  return styled(path, { stroke: `var(--${name})` });
}
