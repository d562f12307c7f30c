// The page from top to bottom: verdict, figures, charts, tables, what ran.

const VERDICTS = {
  pass: ["ok", "Passed",
    "The load was offered, every threshold held, every acknowledged event is there."],
  thresholds_failed: ["fail", "Thresholds failed",
    "The load was offered, and the target did not hold what was asked of it."],
  invalid: ["warn", "Invalid run",
    "It says nothing about the target: the load was not offered as planned, or nobody answered."],
  bad_configuration: ["warn", "Bad configuration", "It could not be run like this."],
  interrupted: ["warn", "Interrupted",
    "Somebody ended it. What was measured until then is shown, and decides nothing."],
};

function header() {
  const [state, title, meaning] = VERDICTS[record.verdict];
  document.body.dataset.state = state;
  const { profile, environment } = record;
  byId("top").append(...[
    make("p", { class: "kicker" }, `Load test ${profile.name} against ${environment.name}`),
    make("div", { class: "state" }, symbol(state), make("h1", { id: "verdict" }, title)),
    make("p", { class: "why" }, meaning),
    record.reasons.length > 0 && make("ul", { class: "reasons" },
      record.reasons.map((reason) => make("li", null, reason))),
    make("p", { class: "meta" },
      [moment(record.started_at), length(record.duration_seconds), load(), environment.url,
        record.versions.target && "version " + record.versions.target, "seed " + record.seed]
        .filter(Boolean).map((text) => make("span", null, text))),
    record.signing.note && make("p", { class: "note" }, record.signing.note),
  ].filter(Boolean));
}

const figures = (...list) => make("div", { class: "figures" }, list);

function targetSection() {
  const list = targetMetrics();
  if (list.length > 0) return section("target", "The sequencer's own metrics", figures(list));
  return section("target", "The sequencer's own metrics", note(record.environment.operations_url
    ? "Its operations port gave none during this run."
    : "No operations port was named: --operations-url adds them."));
}

function content() {
  if (NOT_RUN) return [keyFigures(), thresholds(), ledger(), whatRan(), notes()].filter(Boolean);
  return [
    keyFigures(), thresholds(),
    section("load", "Load", figures(offered(), events()), MERGED && note(MERGED)),
    section("latency", "Latency", figures(latencies(), percentileCurve())),
    section("errors", "Errors", errorClasses(), record.errors.length > 0 && figures(errors())),
    sums("scenarios", "By scenario", record.scenarios, ["Scenario"]),
    sums("routes", "By route", record.routes, ["Route", "Scenario"]),
    ledger(),
    section("generator", "The generator", figures(generator())),
    targetSection(), whatRan(), notes(),
  ].filter(Boolean);
}

header();
byId("content").append(...content());
byId("end").append("Drawn from run.json, which holds every figure. ",
  `loadgen ${record.versions.loadgen}, record format ${record.format}, `
  + `exit code ${record.exit_code}.`);
drawCharts();
document.body.dataset.drawn = "";
