// What charts over time share: uPlot with our axes, one cursor for the board, and both schemes.

const charts = [];
const points = Math.floor((source.end - source.start) / source.step) + 1;
const times = Array.from({ length: points }, (_, place) => source.start + place * source.step);

const COLOURS = 10;
const lineColour = (place) => `--line-${place % COLOURS}`;
const colour = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

const LEAST_WIDTH = 120;
const LEAST_HEIGHT = 60;
const roomOf = (holder) => ({
  width: Math.max(holder.clientWidth, LEAST_WIDTH),
  height: Math.max(holder.clientHeight, LEAST_HEIGHT),
});

// Distances between two marks: powers of two for bytes, what clocks show for durations.
const decades = (from, to) => Array.from({ length: to - from }, (_, place) => from + place)
  .flatMap((power) => [1, 2, 5].map((one) => Number(one + "e" + power)));
const DISTANCES = {
  bytes: Array.from({ length: 50 }, (_, power) => 2 ** power),
  s: [...decades(-9, 1), 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200,
    86400, 172800, 432000, 864000, 2592000, 8640000],
};
DISTANCES.binBps = DISTANCES.bytes;

// A chart in its holder. `build` gives the options and data; it is asked again when the colours
// of the page change.
function chart(holder, build, onMove) {
  const one = { holder, build, onMove, plot: null };
  charts.push(one);
  drawChart(one);
  resized.observe(holder);
}

function drawChart(one) {
  const { options, data } = one.build();
  const axis = {
    stroke: colour("--soft"), font: "11px " + getComputedStyle(document.body).fontFamily,
    grid: { stroke: colour("--grid"), width: 1 }, ticks: { show: false },
  };
  const [y] = options.axes;
  one.plot?.destroy();
  one.plot = new uPlot({
    ...options, ...roomOf(one.holder),
    legend: { show: false },
    padding: [8, 20, 0, 0],
    cursor: {
      sync: { key: "board" }, drag: { x: false, y: false }, y: false,
      points: { size: 5, ...options.points },
    },
    scales: {
      ...options.scales, x: { time: true, range: () => [source.start, source.end] },
    },
    axes: [
      { ...axis, space: 76, size: 26, gap: 8, values: (_, moments) => moments.map(moment) },
      { ...axis, size: 64, space: 28, gap: 4, ...y },
    ],
    hooks: { ...options.hooks, setCursor: [(plot) => one.onMove(plot.cursor.idx)] },
  }, data, one.holder);
}

const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const { plot } = charts.find(({ holder }) => holder === target) || {};
    const room = roomOf(target);
    if (plot && (room.width !== plot.width || room.height !== plot.height)) plot.setSize(room);
  }
});

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  charts.forEach(drawChart);
});
