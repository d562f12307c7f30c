// Everything that is read and not drawn: thresholds, sums, error classes, ledger, what ran.

const QUANTILES = [["p50", "p50_us"], ["p95", "p95_us"], ["p99", "p99_us"], ["p99.9", "p999_us"],
  ["max", "max_us"]];
const quantiles = (of) => QUANTILES.map(([, key]) => (of.count > 0 ? micros(of[key]) : NOTHING));
const quantileColumns = QUANTILES.map(([title]) => [title, true]);

function tile(title, value, about, state) {
  return make("div", { class: "tile", "data-state": state },
    make("dt", null, title), make("dd", null, make("b", null, state && symbol(state), value),
      make("span", null, about)));
}

function keyFigures() {
  const { totals, latency: { response, service } } = record;
  if (NOT_RUN) return section("figures", "Key figures", note(NOT_RUN,
      " So there are no figures, no charts, and no sums by scenario, route or class of error."));
  const at = (key) => (response.count > 0 ? micros(response[key]) : NOTHING);
  const rate = (offered, unit) => `${count(offered)} ${unit} in all`;
  const failed = `${count(totals.failed_requests)} failed attempts, `
    + `${count(totals.refused_events)} refused events`;
  return section("figures", "Key figures",
    make("dl", { class: "tiles" },
      tile("Events", perSecond(totals.events_per_second), rate(totals.events, "acknowledged")),
      tile("Requests", perSecond(totals.requests_per_second),
        rate(totals.answered_requests, "answered")),
      tile("Response p95", at("p95_us"), `p50 ${at("p50_us")}`),
      tile("Response p99", at("p99_us"), `p99.9 ${at("p999_us")}`),
      tile("Errors", share(totals.error_ratio), failed),
      ledgerTile()),
    table([["Latency", false], ["samples", true], ["p50", true], ["p90", true],
      ...quantileColumns.slice(1)],
    [["response", response], ["service", service]].map(([name, of]) => {
      const [p50, ...rest] = quantiles(of);
      const p90 = of.count > 0 ? micros(of.p90_us) : NOTHING;
      return [titled(name), count(of.count), p50, p90, ...rest];
    }), "Latency"),
    note(isClosed
      ? "Closed profile: each user waits for its answer, so both latencies are the same."
      : "Response counts from the intended start, so it shows the queue behind a stall; "
        + "service counts from the sending."));
}

function ledgerTile() {
  const { ledger } = record;
  if (!ledger) return tile("Ledger", NOTHING, ledgerWords());
  const verified = `${count(ledger.verified)} of ${count(ledger.acknowledged)} verified`;
  return ledger.is_sound ? tile("Ledger", "Sound", verified, "ok")
    : tile("Ledger", "Not sound", verified, "fail");
}

const THRESHOLDS = {
  pass: ["ok", "Held"], fail: ["fail", "Did not hold"], no_data: ["fail", "Nothing to measure"],
};

function thresholds() {
  const { thresholds: list, profile } = record;
  const title = "Thresholds";
  if (list.length === 0) {
    return section("thresholds", title, note(profile.thresholds.length === 0
      ? "The profile has no thresholds."
      : "None was judged: " + profile.thresholds.join(", ")));
  }
  return section("thresholds", title, table(
    [["Threshold", false], ["Measured", true], ["Verdict", false]],
    list.map(({ expression, measured_text: measured, verdict, aborted_at_seconds: aborted }) => [
      make("code", null, expression), measured,
      [word(...THRESHOLDS[verdict]),
        isNumber(aborted) && ` and ended the run at ${clock(aborted)}`],
    ]), title));
}

function sums(id, title, list, names) {
  if (list.length === 0) {
    return section(id, title, note(NOT_RUN || "Nothing was counted."));
  }
  return section(id, title, table(
    [...names.map((name) => [name, false]), ["answered", true], ["a second", true],
      ["events", true], ["errors", true], ...quantileColumns],
    list.map(({ totals, latency: of, ...rest }) => [
      ...(rest.route ? [make("code", null, rest.route), rest.scenario] : [rest.name]),
      count(totals.answered_requests), perSecond(totals.requests_per_second),
      count(totals.events), share(totals.error_ratio),
      ...quantiles(of.response),
    ]), title), note("Quantiles of the response latency."));
}

function errorClasses() {
  const list = record.errors;
  const words = NOT_RUN || "No attempt failed and no event was refused.";
  if (list.length === 0) return note(words);
  const { retries, given_up_requests: lost } = record.totals;
  return [
    table([["Class", false], ["Times", true], ["What it means", false], ["One of them", false]],
      list.map((error) => [spoken(error.class), count(error.count), error.meaning,
        make("code", null, error.example)]), "Errors"),
    note(`${count(retries)} attempts were repeated with the same bytes; `
      + `${count(lost)} requests were given up.`),
  ];
}

function ledgerWords() {
  const { ledger, totals } = record;
  if (!ledger && totals.events > 0) return "The log was not read back.";
  if (!ledger) return "No event was acknowledged, so there is none to read back.";
  return ledger.is_sound
    ? `Each of ${count(ledger.acknowledged)} acknowledged events was read back from the log: once, `
      + "under its number, with the same receipt."
    : "The log does not hold every acknowledged event as its receipt says, or was not read back "
      + "to the end.";
}

function ledger() {
  const found = record.ledger;
  if (!found) return section("ledger", "Ledger", note(ledgerWords()));
  const names = ["acknowledged", "verified", "missing", "different", "duplicated", "gaps",
    "violations", "streams"];
  return section("ledger", "Ledger",
    make("p", null, found.is_sound ? word("ok", "Sound") : word("fail", "Not sound"), ". ",
      ledgerWords()),
    table(names.map((name) => [titled(name), true]), [names.map((name) => count(found[name]))],
      "Ledger"),
    found.problems.length > 0 && make("ul", { class: "problems" },
      found.problems.map((problem) => make("li", null, problem))),
    note(`Reading back took ${length(found.seconds)}.`));
}

function load() {
  const { profile } = record;
  if (isClosed) return `${count(profile.users)} users, closed`;
  const rate = isNumber(profile.rate_per_second) ? perSecond(profile.rate_per_second) : "";
  return `${rate} on a schedule, ${profile.is_poisson ? "Poisson" : "evenly spaced"}`;
}

function whatRan() {
  const { profile, environment, versions, signing } = record;
  const list = (pairs) => Object.entries(pairs).map(([name, value]) => `${name} ${value}`)
    .join(", ");
  return section("ran", "What ran",
    make("div", { class: "facts" },
      facts("Profile", [
        ["name", profile.name], ["for", profile.description], ["load", load()],
        ["users", count(profile.users)],
        ["ramp", length(profile.ramp_seconds)], ["hold", length(profile.hold_seconds)],
        ["ramp down", length(profile.ramp_down_seconds)],
        ["scenarios, weights", list(profile.scenarios)],
        ["events in a request", count(profile.batch_events)],
        ["payload", bytes(profile.payload_bytes)],
        ["agents, streams", `${count(profile.agents)}, ${count(profile.streams)}`],
        ["replaced", list(profile.overrides)],
      ]),
      facts("Target", [
        ["environment", environment.name], ["address", environment.url],
        ["version", versions.target || "not told"], ["build", list(versions.target_build)],
        ["sequencer", versions.sequencer_id],
      ]),
      facts("Run", [
        ["began", moment(record.started_at)], ["ended", moment(record.ended_at)],
        ["took", length(record.duration_seconds)], ["seed", String(record.seed)],
        ["loadgen", versions.loadgen], ["machine", versions.machine],
        ["cores", count(record.generator.cores)],
        ["memory, most", bytes(record.generator.max_resident_bytes)],
        ["sent, received",
          `${bytes(record.totals.sent_bytes)}, ${bytes(record.totals.received_bytes)}`],
      ]),
      facts("Signing", [
        ["before the clock", count(signing.ahead_events)],
        ["between requests", count(signing.idle_events)],
        ["late", count(signing.late_events)], ["", signing.note],
      ])),
    record.stages.length > 0 && table(
      [["Stage", false], ["from", true], ["to", true], ["users", true], ["rate", true]],
      record.stages.map((stage) => [spoken(stage.name), length(stage.start_seconds),
        length(stage.end_seconds), count(stage.users), perSecond(stage.rate_per_second)]),
      "Stages"));
}

function notes() {
  const list = record.notes;
  return list.length > 0 && section("notes", "Notes",
    make("ul", { class: "plain" }, list.map((text) => make("li", null, text))));
}
