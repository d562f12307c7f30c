// Charts over the time of the run: load, latency, errors, the generator, the target's own metrics.

// Distances between two marks below a chart, and lengths of what is drawn as one point: seconds.
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400];
const MOST_POINTS = 900;
const stepSeconds = STEPS.find((step) => record.timeline.length / step <= MOST_POINTS) || 86400;

// Some seconds as one: rates are averages, latencies those of the worst second.
function merged(list) {
  const sum = (read) => list.reduce((total, second) => total + read(second), 0);
  const mean = (read) => sum(read) / list.length;
  const most = (read) => list.reduce((found, second) => Math.max(found, read(second)), 0);
  const worst = (kind) => Object.fromEntries(["count", "p50_us", "p95_us", "p99_us", "p999_us"]
    .map((key) => [key, most((second) => second[kind][key])]));
  const classes = new Set(list.flatMap(({ errors }) => Object.keys(errors)));
  return {
    t: list[0].t, service: worst("service"), response: worst("response"),
    offered_requests: mean((s) => s.offered_requests), sent_requests: mean((s) => s.sent_requests),
    answered_requests: mean((s) => s.answered_requests), events: mean((s) => s.events),
    errors: Object.fromEntries([...classes]
      .map((name) => [name, mean((s) => s.errors[name] || 0)])),
    lateness_p99_us: most((s) => s.lateness_p99_us),
    generator_cpu_ratio: mean((s) => s.generator_cpu_ratio),
  };
}

const timeline = stepSeconds === 1 ? record.timeline
  : Array.from({ length: Math.ceil(record.timeline.length / stepSeconds) }, (_, at) =>
    merged(record.timeline.slice(at * stepSeconds, (at + 1) * stepSeconds)));
const MERGED = stepSeconds > 1 && `Each point of a chart is ${stepSeconds} s: rates are averages, `
  + "latencies those of the worst second.";
const times = timeline.map(({ t }) => t);
const NOT_RUN = timeline.length === 0 && "The run ended before any load was sent.";
const LATE_SECONDS = 0.1;
const BUSY_RATIO = 0.9;
const isClosed = record.profile.model === "closed";

const MOST_SECONDS_AS_SUCH = 180;

function clock(at) {
  if (record.duration_seconds <= MOST_SECONDS_AS_SUCH) return at + " s";
  const pad = (value) => String(Math.trunc(value)).padStart(2, "0");
  const hours = at >= 3600 ? Math.trunc(at / 3600) + ":" : "";
  return hours + (hours ? pad((at / 60) % 60) : Math.trunc(at / 60)) + ":" + pad(at % 60);
}

const lastSecond = Math.max(record.duration_seconds, ...record.stages.map((s) => s.end_seconds));

// A figure over time; without lines that have a value it says why.
function overTime({ lines, reason, say, axis, y, splits, x = times, limit, ...rest }) {
  const isEmpty = NOT_RUN || !lines.some(({ values }) => values.some(isNumber));
  return figure({
    ...rest, lines, say, x, limit, stages: true, sync: "run",
    reason: isEmpty && (NOT_RUN || reason),
    at: (index) => "at " + clock(Math.round(x[index])),
    scales: { x: { time: false, range: () => [0, lastSecond] }, y },
    axes: [
      { incrs: STEPS, values: (_, moments) => moments.map(clock) },
      { values: (_, values) => values.map((value) => (isNumber(value) ? axis(value) : "")),
        ...(splits && { splits }) },
    ],
  });
}

const column = (read) => timeline.map(read);

function offered() {
  return overTime({
    title: "Requests a second, offered and achieved",
    about: isClosed ? "Closed: a request is offered when the one before was answered."
      : "Open: the schedule offers, whatever the target does.",
    say: perSecond, axis: count, y: fromZero(5),
    lines: [
      { label: "answered", values: column((s) => s.answered_requests), colour: "one",
        isArea: true },
      { label: "sent", values: column((s) => s.sent_requests), colour: "three", dash: [2, 3] },
      { label: "offered", values: column((s) => s.offered_requests), colour: "soft",
        dash: [6, 4] },
    ],
  });
}

function events() {
  const hasEvents = record.totals.events > 0 || record.totals.offered_events > 0;
  return overTime({
    title: "Events a second, acknowledged", say: perSecond, axis: count, y: fromZero(5),
    about: "Counted when its receipt came.",
    reason: "This run posted no events.",
    lines: hasEvents
      ? [{ label: "events", values: column((s) => s.events), colour: "one", isArea: true }] : [],
  });
}

function latency(kind, about, reason) {
  const quantile = (label, key, stroke, dash) => ({
    label, colour: stroke, dash,
    values: column(({ [kind]: of }) => (of.count > 0 ? Math.max(of[key], 1) / 1e6 : null)),
  });
  const lines = [
    quantile("p50", "p50_us", "one"), quantile("p95", "p95_us", "two"),
    quantile("p99", "p99_us", "three"), quantile("p99.9", "p999_us", "fail", [4, 3]),
  ];
  return overTime({
    title: titled(kind) + " latency", about, say: seconds, axis: shortSeconds, y: decades,
    splits: decadeMarks, lines: reason ? [] : lines, reason: reason || "Nothing was answered.",
  });
}

function latencies() {
  return [
    latency("response", "From the intended start to the last byte."),
    latency("service", "From the sending to the last byte.", isClosed
      && "The same as response latency: in a closed profile a request is due when it is sent."),
  ];
}

// Stacked bars: each class stands on those before it, so the highest are drawn first.
function errors() {
  const classes = [...new Set([...record.errors.map((error) => error.class),
    ...timeline.flatMap((second) => Object.keys(second.errors))])];
  const shown = classes.slice(0, COLOURS.length);
  const rest = classes.slice(COLOURS.length);
  const sum = timeline.map(() => 0);
  const line = (label, of, stroke) => {
    const own = column((s) => of.reduce((total, name) => total + (s.errors[name] || 0), 0));
    own.forEach((value, at) => { sum[at] += value; });
    // A bar without a height would be a line along the axis.
    const values = sum.map((value, at) => (own[at] > 0 ? value : null));
    return { label, values, shown: own, colour: stroke, isBar: true };
  };
  const lines = shown.map((name, at) => line(spoken(name), [name], COLOURS[at]));
  if (rest.length > 0) lines.push(line(`${rest.length} more classes`, rest, "soft"));
  return overTime({
    title: "Errors a second, by class", isWide: true, say: count, axis: count, y: fromZero(4),
    about: "Failed attempts and refused events.", lines: lines.reverse(),
    reason: "No attempt failed and no event was refused.",
  });
}

function generator() {
  return [
    overTime({
      title: "Generator lateness, p99", say: seconds, axis: shortSeconds, y: fromZero(0.005),
      about: "How late it sent. Above 100 ms over the run, that is invalid.",
      limit: LATE_SECONDS, reason: "Nothing was sent.",
      lines: [{ label: "late by", values: column((s) => s.lateness_p99_us / 1e6), colour: "one",
        isArea: true }],
    }),
    overTime({
      title: "Generator processor", say: share, axis: shortShare, y: fromZero(1, 1),
      about: `Of ${count(record.generator.cores)} cores. Above 90 % its times are its own.`,
      limit: BUSY_RATIO, reason: "Nothing was measured.",
      lines: [{ label: "busy", values: column((s) => s.generator_cpu_ratio), colour: "one",
        isArea: true }],
    }),
  ];
}

// One figure for each metric, one line for each of its series.
function targetMetrics() {
  const byName = Map.groupBy
    ? Map.groupBy(record.target_metrics, ({ name }) => name)
    : record.target_metrics.reduce((map, one) =>
      map.set(one.name, [...(map.get(one.name) || []), one]), new Map());
  return [...byName].map(([name, list]) => {
    const x = [...new Set(list.flatMap(({ points }) => points.map(({ t }) => t)))]
      .sort((a, b) => a - b);
    const lines = list.slice(0, COLOURS.length).map(({ label, points }, at) => {
      const known = new Map(points.map(({ t, value }) => [t, value]));
      return { label: label || "value", values: x.map((t) => known.get(t) ?? null),
        colour: COLOURS[at], isArea: list.length === 1 };
    });
    const { title, say, axis } = unitOf(name);
    const left = list.length - lines.length;
    return overTime({
      title, say, axis, x, lines, y: fromZero(0.000001), reason: "It had no value in this time.",
      about: left > 0 && `${left} more series are in run.json.`,
    });
  });
}
