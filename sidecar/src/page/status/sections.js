// The parts of the page, each from its part of api/status; a part that is not there says so.

function showSections(status) {
  showViolations(status.witness, status);
  show(byId("checks-body"), checksTable(status));
  show(byId("canary-body"), canaryPart(status.canary));
  show(byId("streams-body"), streamsPart(status.witness, status.canary));
  show(byId("facts-body"), processFacts(status.process), storeFacts(status.store));
  const { sidecar, sequencer } = status.versions;
  byId("subject").textContent = status.sequencer_url;
  show(byId("updated"), "As of ", moment(status.now));
  byId("versions").textContent = `Sidecar ${sidecar.version} (${sidecar.commit}), ` + (sequencer
    ? `sequencer ${sequencer.version} (${sequencer.commit}), store ${sequencer.store}`
    : "sequencer's version not known yet");
}

// A link to the page of an alert, where there is one.
function runbookLink(status, alert, text) {
  if (!alert || !status.runbooks.includes(alert)) return null;
  return make("a", { class: "runbook", href: "runbooks/" + encodeURIComponent(alert) }, text);
}

const note = (text) => make("p", { class: "note" }, text);

function headRow(names) {
  const cells = names.map(([name, kind]) => make("th", { scope: "col", class: kind, role: "columnheader" }, name));
  return make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, cells));
}

// Roles are written out because a phone shows the rows as blocks, which would hide the table.
function checksTable(status) {
  if (!status.checks.length) return note("No check has run yet.");
  const rows = status.checks.map((check) => make("tr", { role: "row" },
    make("th", { scope: "row", role: "rowheader" }, titled(check.name)),
    make("td", { role: "cell" }, word(check.status)),
    make("td", { class: "reason", role: "cell" }, check.reason, check.status !== "ok" && " ",
      check.status !== "ok" && runbookLink(status, check.alert, "Runbook")),
    make("td", { class: "when", role: "cell" }, moment(check.since))));
  const head = headRow([["Check"], ["Status"], ["Why"], ["Since", "when"]]);
  return make("table", { class: "checks", role: "table" },
    make("caption", { class: "unseen" }, "Each check with its status, the reason and since when"),
    head, make("tbody", { role: "rowgroup" }, rows));
}

function showViolations(witness, status) {
  const open = witness?.open_violations || [];
  byId("violations").hidden = !open.length;
  show(byId("violations-body"), open.map((violation) => make("article", { class: "violation" },
    make("h3", null, titled(violation.kind),
      violation.store_id && make("span", null, " in stream ", streamName(violation)),
      isNumber(violation.sequence_number) && ` at number ${violation.sequence_number}`),
    make("p", null, violation.detail),
    make("p", { class: "meta" }, moment(violation.since, "found "),
      violation.evidence && make("span", null, "evidence ", make("code", null, violation.evidence)),
      runbookLink(status, alertOf(violation), "Runbook")),
    make("p", null, "It stays open until someone has looked into it: ",
      make("code", null, `sidecar witness acknowledge ${violation.id} --reason "…"`)))));
}

const alertOf = ({ kind }) => (kind === "rollback" ? "WitnessHeadRolledBack" : "WitnessViolation");

function streamName({ tenant_id: tenant, store_id: store }) {
  return make("span", { class: "id", title: `tenant ${tenant}, store ${store}` },
    `${shortId(tenant)} / ${shortId(store)}`);
}

// What the witness does, honestly: a sample is called a sample.
function witnessInWords(witness) {
  const words = [];
  if (witness.problem) words.push(`The witness does not see everything: ${witness.problem}.`);
  if (!witness.last_poll) return words.concat("It has not read the log yet.").join(" ");
  const sample = witness.signature_sample;
  words.push(sample < 1 ? `Signatures are verified for a sample of ${percent(sample)}; hashes, `
    + "numbers and roots for every event." : "It verifies every event.");
  if (witness.lag_events > 0) {
    words.push(`${count(witness.lag_events)} events are not verified yet`
      + (witness.catching_up ? "; it is catching up with what was there before it." : "."));
  }
  const { audit } = witness;
  if (!audit.events_per_second) words.push("History is not read again.");
  else if (audit.completed) words.push(`All of history was last read again ${audit.completed.slice(0, 16).replace("T", " ")} UTC.`);
  else words.push(`The first pass over all of history has come to ${percent(audit.pass_progress)}.`);
  if (audit.problem) words.push(`It does not go on: ${audit.problem}.`);
  return words.join(" ");
}

const SHOWN_STREAMS = 20;

function streamsPart(witness, canary) {
  if (!witness?.enabled) return note("The witness is turned off (WITNESS).");
  const streams = witness.streams || [];
  const head = headRow([["Stream"], ["Head", "number"], ["Committed", "number"],
    ["Verified", "number"], ["Behind", "number"]]);
  const rows = streams.slice(0, SHOWN_STREAMS).map((stream) => make("tr", null,
    make("th", { scope: "row" }, streamName(stream),
      stream.store_id === canary?.store_id && " canary"),
    ["head", "committed", "verified", "lag_events"].map((name) =>
      make("td", { class: "number" }, count(stream[name])))));
  return [
    note(witnessInWords(witness)),
    streams.length > 0 && make("div", { class: "wide", tabindex: "0", role: "region",
      "aria-label": "Streams, scrolls sideways" },
      make("table", null,
        make("caption", { class: "unseen" }, "Streams with their heads, and how far each was "
          + "committed and verified"),
        head, make("tbody", null, rows))),
    streams.length > SHOWN_STREAMS
      && note(`${streams.length - SHOWN_STREAMS} more are in the status as JSON.`),
  ].flat();
}

const SHOWN_ROUNDS = 8;
const STEPS = ["post", "read_back", "commitment", "proof"];

function canaryPart(canary) {
  if (!canary?.enabled) return note(canary?.reason || "Nothing is known of the canary.");
  const { rounds } = canary;
  if (!rounds.length) return note(sentence(canary.reason || "no round has ended yet") + ".");
  const good = rounds.filter((round) => round.ok).length;
  const newest = rounds.slice(-SHOWN_ROUNDS).reverse();
  const longest = Math.max(...newest.map((round) => round.duration_seconds), 0.001);
  const all = good === rounds.length;
  return [
    note("A signed event every few seconds, followed all the way to its proof. "
      + (all ? `All of the last ${rounds.length} rounds were good.`
        : `${good} of the last ${rounds.length} rounds were good.`)),
    make("div", { class: "strip", "aria-hidden": "true" }, rounds.map((round) =>
      make("span", { "data-bad": !round.ok, title: round.reason }))),
    make("ol", { class: "rounds", "aria-label": "Last rounds, newest first" },
      newest.map((round) => roundRow(round, longest))),
    make("ul", { class: "keys", "aria-hidden": "true" }, STEPS.map((step) => make("li", null,
      make("svg", { viewBox: "0 0 24 8" },
        make("rect", { width: 24, height: 8, class: "step-" + step })), spoken(step)))),
  ];
}

function roundRow(round, longest) {
  const said = round.steps.map((step) =>
    `${spoken(step.step)} ${seconds(step.duration_seconds)}${step.ok ? "" : ", failed"}`);
  const bars = round.steps.map((step) => make("rect", {
    x: (step.offset_seconds / longest) * 100, y: 3, height: 10,
    width: Math.max((step.duration_seconds / longest) * 100, 0.4),
    class: step.ok ? "step-" + step.step : "failed",
  }));
  return make("li", null,
    make("time", { class: "when", datetime: round.started_at, title: round.started_at },
      clockTime.format(Date.parse(round.started_at))),
    make("svg", { class: "line", viewBox: "0 0 100 16", preserveAspectRatio: "none", role: "img",
      "aria-label": said.join(", ") }, bars),
    make("span", { class: "took" }, seconds(round.duration_seconds), word(round.ok ? "ok" : "fail")),
    !round.ok && make("span", { class: "reason" }, round.reason));
}

// A list of figures; what is not known is left out.
function facts(title, rows) {
  const known = rows.filter(([, value]) => value !== null && value !== NOTHING);
  return make("div", null, make("h3", null, title), make("dl", null, known.map(([name, value]) =>
    [make("dt", null, name), make("dd", null, value)])));
}

const ofAll = (part, whole, say) =>
  (isNumber(part) && isNumber(whole) ? `${say(part)} of ${say(whole)}` : say(part));

function processFacts(process) {
  const { disk, machine_memory: memory } = process;
  return facts("Sequencer's process", [
    ["Process", process.visible ? `${process.name}, ${process.pid}, ${process.state}` : process.reason],
    ["Started", process.started_at && moment(process.started_at)],
    ["Restarts seen", count(process.restarts)],
    ["CPU", isNumber(process.cpu_cores) ? `${process.cpu_cores.toFixed(2)} cores` : null],
    ["Memory", bytes(process.resident_bytes)],
    ["Descriptors", ofAll(process.open_file_descriptors, process.file_descriptor_limit, count)],
    ["Threads", count(process.threads)],
    ["Disk available", disk && ofAll(disk.available_bytes, disk.total_bytes, bytes)],
    ["Machine's memory available", memory && ofAll(memory.available_bytes, memory.total_bytes, bytes)],
    ["Memory pressure", percent(process.memory_pressure_ratio)],
    ["Read", process.read_at && moment(process.read_at)],
  ]);
}

const UNITS = [["_bytes", bytes], ["_seconds", seconds], ["_ratio", percent]];

// Each driver has figures of its own; the unit is the end of the name.
function storeFacts(store) {
  if (!store.driver) return facts("Store from outside", [["Store", store.reason]]);
  const figures = Object.entries(store.figures || {}).flatMap(([name, value]) => {
    if (value === null || typeof value === "object") return [];
    const [unit, say] = UNITS.find(([unit]) => name.endsWith(unit)) || ["", fact];
    return [[titled(name.slice(0, name.length - unit.length)), say(value)]];
  });
  return facts("Store from outside", [
    ["Store", `${store.driver}, ${store.place}`],
    ["Reachable", store.reachable === null ? null : store.reachable ? "yes" : `no: ${store.reason}`],
    ...figures,
    ...store.notes.map((note) => ["Not told", note]),
    ["Integrity check", store.quick_check ? spoken(store.quick_check.state) : null],
    ["Looked at", store.last_look && moment(store.last_look)],
  ]);
}

function fact(value) {
  if (typeof value === "boolean") return value ? "yes" : "no";
  return isNumber(value) ? count(value) : String(value);
}
