// The curves of the last 15 minutes, drawn by uPlot from columns that grow at one end.

const SPAN_SECONDS = 900;
const SHORTEST_SECONDS = 120;
const PLOT_HEIGHT = 152;
// Distances between two times below a chart.
const MINUTES = [60, 120, 300];
// A jump of more than this many intervals is drawn as a gap.
const GAP_INTERVALS = 3;

// `least` is the least height of the scale, so that noise near zero does not look like a storm.
const CURVES = [
  { title: "Events", say: perSecond, axis: count, least: 5, lines: [
    ["events_per_second", "events", "one", true], ["requests_per_second", "requests", "two"]] },
  { title: "Ingest latency", say: seconds, axis: seconds, least: 0.01, lead: 2, lines: [
    ["ingest_p50_seconds", "p50", "one", true], ["ingest_p95_seconds", "p95", "two"],
    ["ingest_p99_seconds", "p99", "three", false, [4, 3]]] },
  { title: "Errors answered", say: perSecond, axis: count, least: 1, lines: [
    ["server_errors_per_second", "5xx", "fail", true],
    ["client_errors_per_second", "4xx", "two", false, [4, 3]]] },
  { title: "Connections in use", say: count, axis: count, least: 4, lines: [
    ["pool_active", "active", "one", true], ["pool_max", "limit", "soft", false, [2, 3]]] },
  { title: "Disk used", say: percent, axis: (v) => Math.round(v * 100) + " %", top: 1, lines: [
    ["disk_used_ratio", "used", "one", true]] },
  { title: "Events waiting for", say: count, axis: count, least: 10, lines: [
    ["queue_depth_events", "store", "one", true],
    ["commitment_lag_events", "commitment", "two"],
    ["witness_lag_events", "witness", "three", false, [4, 3]]] },
];

const curves = { time: [], series: {}, plots: [] };

// Takes an answer of api/history: all points, or those that are new.
function takeHistory(answer) {
  if (answer.complete) {
    curves.time = [];
    curves.series = {};
  }
  const gap = answer.interval_seconds * GAP_INTERVALS;
  const names = Object.keys(answer.series);
  const push = (at, value) => {
    curves.time.push(at);
    for (const name of names) (curves.series[name] ||= []).push(value(name));
  };
  answer.time.forEach((at, index) => {
    const last = curves.time.at(-1);
    if (last !== undefined && at - last > gap) push((last + at) / 2, () => null);
    push(at, (name) => answer.series[name][index]);
  });
  const old = curves.time.findIndex((at) => at >= answer.now - SPAN_SECONDS);
  if (old > 0) {
    curves.time.splice(0, old);
    for (const name of names) curves.series[name].splice(0, old);
  }
  curves.now = answer.now;
  showCurves();
}

const lastPoint = () => curves.time.at(-1);

function showCurves() {
  if (!curves.plots.length) buildCurves();
  for (const { spec, plot, now, span } of curves.plots) {
    const columns = spec.lines.map(([name]) => curves.series[name] || []);
    plot.setData([curves.time, ...columns], false);
    // Both scales in one go: time slides on also while nothing comes.
    plot.setScale("x", { min: beginning(), max: curves.now });
    const lead = columns[spec.lead || 0];
    now.textContent = lastKnown(spec, lead);
    span.textContent = inWords(spec, columns);
  }
}

// A sidecar that has just started fills the width with the little that it has.
function beginning() {
  const first = Math.min(curves.time[0] ?? curves.now, curves.now - SHORTEST_SECONDS);
  return Math.max(first, curves.now - SPAN_SECONDS);
}

// The newest value; of a quantile, which has one only when something came, that of late. Of a
// sequencer that does not answer nothing is late: it is past.
const LATE_POINTS = 20;

function lastKnown(spec, values) {
  const answers = curves.series.sequencer_answers?.at(-1) === 1;
  const late = spec.lead && answers ? values.slice(-LATE_POINTS).filter(isNumber) : values;
  return spec.say(late.at(-1));
}

// What a chart shows, for those who do not see it.
function inWords(spec, columns) {
  const highest = columns.map((values) => values.filter(isNumber))
    .map((values) => (values.length ? values.reduce((a, b) => Math.max(a, b)) : null));
  if (highest.every((value) => value === null)) return "Nothing known";
  const known = spec.lines.flatMap(([, label], index) =>
    (highest[index] === null || index < (spec.lead || 0)
      ? [] : [`${label} ${spec.say(highest[index])}`]));
  return "Highest: " + known.join(", ");
}

function buildCurves() {
  const figures = CURVES.map((spec) => {
    const now = make("span", { class: "now" });
    const span = make("span", { class: "span" });
    const plotAt = make("div", { class: "plot", "aria-hidden": "true" });
    const keys = spec.lines.map(([, label, color, , dash]) => make("li", null, key(color, dash), label));
    const figure = make("figure", null,
      make("figcaption", null, make("span", { class: "title" }, spec.title), now, span),
      plotAt, spec.lines.length > 1 && make("ul", { class: "keys", "aria-hidden": "true" }, keys));
    return { spec, figure, now, span, plotAt };
  });
  byId("curves-body").replaceChildren(...figures.map(({ figure }) => figure));
  curves.plots = figures.map((figure) => ({ ...figure, plot: drawn(figure) }));
}

function key(color, dash) {
  const line = { x1: 0, y1: 4, x2: 24, y2: 4, stroke: `var(--${color})`, "stroke-width": 2.5 };
  return make("svg", { viewBox: "0 0 24 8" },
    make("line", { ...line, "stroke-dasharray": dash ? dash.join(" ") : null }));
}

function drawn({ spec, plotAt }) {
  const style = getComputedStyle(document.body);
  const color = (name) => style.getPropertyValue("--" + name).trim();
  const font = "12px " + style.fontFamily;
  const axis = {
    stroke: color("soft"), font, grid: { stroke: color("line"), width: 1 },
    ticks: { show: false },
  };
  const series = spec.lines.map(([name, label, stroke, area, dash]) => ({
    label, dash, stroke: color(stroke), width: 1.6, spanGaps: false,
    fill: area && stroke === "one" ? color("area") : undefined,
    // A quantile has a value only where something came: single ones are drawn as dots.
    points: { show: Boolean(spec.lead), size: 3.5, fill: color(stroke) },
    value: (_, value) => spec.say(value),
  }));
  const plot = new uPlot({
    width: Math.max(plotAt.clientWidth, 200), height: PLOT_HEIGHT, series: [{}, ...series],
    cursor: { sync: { key: "curves" }, drag: { x: false, y: false }, points: { size: 6 } },
    legend: { show: false },
    scales: { y: { range: (_, low, high) => [0, spec.top || Math.max(spec.least, high * 1.15 || 0)] } },
    axes: [
      { ...axis, space: 70, size: 28, incrs: MINUTES, values: (_, times) => times.map(clockLabel) },
      { ...axis, size: 62, space: 34, values: (_, values) => values.map((v) => axisLabel(spec, v)) },
    ],
  }, [[], ...series.map(() => [])], plotAt);
  return plot;
}

const hourMinute = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" });
const clockLabel = (at) => hourMinute.format(at * 1000);
const axisLabel = (spec, value) => (value === 0 ? "0" : spec.axis(value));

function rebuildCurves() {
  for (const { plot } of curves.plots) plot.destroy();
  curves.plots = [];
  if (curves.time.length) showCurves();
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", rebuildCurves);
new ResizeObserver(() => {
  for (const { plot, plotAt } of curves.plots) {
    const width = Math.max(plotAt.clientWidth, 200);
    if (width !== plot.width) plot.setSize({ width, height: PLOT_HEIGHT });
  }
}).observe(byId("curves-body"));
