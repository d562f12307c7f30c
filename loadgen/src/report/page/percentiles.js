// The distribution: latency over the percentile, with the same room for each nine.

const NINES = [0, 90, 99, 99.9, 99.99, 99.999];
const MOST_NINES = 6;
const ninesOf = (percentile) => Math.log10(1 / Math.max(1 - percentile / 100, 10 ** -MOST_NINES));

// Latency at a place, between the points of the curve. Beyond the last one nothing is known.
function valueAt(points, nines) {
  const after = points.findIndex((point) => point.nines >= nines);
  if (after < 0) return null;
  if (after === 0 || points[after].nines === nines) return points[after].value;
  const [from, to] = [points[after - 1], points[after]];
  const share = (nines - from.nines) / (to.nines - from.nines);
  return from.value + (to.value - from.value) * share;
}

// The point of 100 % stands where the samples end: one of n is at 1 - 1/n.
function placed(curve, samples) {
  const end = Math.log10(Math.max(samples, 10));
  return curve.map(({ percentile, value_us: value }) =>
    ({ nines: Math.min(ninesOf(percentile), end), value: Math.max(value, 1) / 1e6 }));
}

function percentileCurve() {
  const curves = [["response", "one", null], ["service", "two", [6, 3]]]
    .filter(([kind]) => record.latency[kind].count > 0 && !(isClosed && kind === "service"))
    .map(([kind, stroke, dash]) => ({ kind, stroke, dash,
      points: placed(record.curves[kind], record.latency[kind].count) }))
    .filter(({ points }) => points.length > 1);
  const x = [...new Set(curves.flatMap(({ points }) => points.map(({ nines }) => nines)))]
    .sort((a, b) => a - b);
  const percent = (nines) => Number((100 * (1 - 10 ** -nines)).toFixed(nines > 3 ? 4 : 2)) + " %";
  return figure({
    title: "Latency by percentile", isWide: true, x, say: seconds, rest: "largest",
    about: "Each mark to the right is a tenth of the requests before it."
      + (isClosed ? " Response and service latency are the same in a closed profile." : ""),
    reason: x.length < 2 && (NOT_RUN || "Nothing was answered."),
    at: (index) => percent(x[index]),
    lines: curves.map(({ kind, stroke, dash, points }) => ({
      label: kind, colour: stroke, dash, values: x.map((nines) => valueAt(points, nines)),
      highest: record.latency[kind].max_us / 1e6,
    })),
    scales: { x: { time: false, range: (_, low, high) => [0, Math.max(high, 1)] }, y: decades },
    axes: [
      {
        splits: (plot) => NINES.map(ninesOf).filter((nines) => nines <= plot.scales.x.max + 1e-9),
        values: (_, places) => places.map((nines) => percent(nines)),
      },
      {
        splits: decadeMarks,
        values: (_, values) => values.map((value) => (isNumber(value) ? shortSeconds(value) : "")),
      },
    ],
  });
}
