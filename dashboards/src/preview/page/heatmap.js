// Buckets over time: the more came into a bucket, the stronger its colour.

const FAINTEST = 0.12;
const GAP_PIXELS = 1;

function drawHeatmap(panel, body) {
  const { field, heat: { bounds, counts } } = panel;
  const most = counts.flat().reduce((a, b) => Math.max(a, b), 0);
  const holder = make("div", { class: "plot", "aria-hidden": "true" });
  const words = make("p", { class: "legend" }, heatInWords(panel));
  body.append(holder, words);
  const top = (row) => (isNumber(bounds[row]) ? inUnit(bounds[row], field.unit) : "+Inf");
  const build = () => ({
    options: {
      series: [{}, { paths: () => null, points: { show: false } }],
      points: { show: false },
      scales: { y: { range: () => [0, bounds.length] } },
      axes: [{
        incrs: [1, 2, 3, 4, 5, 10],
        values: (_, rows) => rows.map((row) => (row > 0 ? top(row - 1) : "")),
      }],
      hooks: { draw: [(plot) => drawCells(plot, counts, most)] },
    },
    data: [times, times.map(() => 0)],
  });
  chart(holder, build, (at) => {
    panel.clock.textContent = isNumber(at) ? moment(times[at]) : "";
    words.textContent = isNumber(at) ? heatAt(panel, at) : heatInWords(panel);
  });
}

// A cell holds what came up to its time.
function drawCells(plot, counts, most) {
  const { ctx, bbox } = plot;
  const x = (at) => Math.max(bbox.left, plot.valToPos(at, "x", true));
  const y = (row) => plot.valToPos(row, "y", true);
  ctx.save();
  ctx.fillStyle = colour("--heat");
  counts.forEach((values, row) => values.forEach((count, place) => {
    if (!count) return;
    const [left, right] = [x(times[place] - source.step), x(times[place])];
    const [high, low] = [y(row + 1), y(row)];
    const gap = right - left > 4 * GAP_PIXELS ? GAP_PIXELS : 0;
    ctx.globalAlpha = FAINTEST + (1 - FAINTEST) * Math.sqrt(count / most);
    ctx.fillRect(left, high + GAP_PIXELS, right - left - gap, low - high - GAP_PIXELS);
  }));
  ctx.restore();
}

const bucketName = ({ field, heat: { bounds } }, row) => (isNumber(bounds[row])
  ? "up to " + inUnit(bounds[row], field.unit)
  : "above " + inUnit(bounds[row - 1] ?? 0, field.unit));

function heatInWords(panel) {
  const totals = panel.heat.counts.map((row) => row.reduce((a, b) => a + b, 0));
  const total = totals.reduce((a, b) => a + b, 0);
  if (!total) return "Nothing came in this time.";
  const row = totals.indexOf(Math.max(...totals));
  return `Most often: ${bucketName(panel, row)}, ${inUnit(totals[row] / total, "percentunit", 0)}` +
    " of all.";
}

function heatAt(panel, at) {
  const counts = panel.heat.counts.map((row) => row[at]);
  const known = counts.flatMap((count, row) =>
    (count ? [`${bucketName(panel, row)}: ${inUnit(count, "short")}`] : []));
  return known.length ? known.join(" · ") : "Nothing came at this time.";
}
