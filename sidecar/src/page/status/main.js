// Asks, shows, and says so when nobody answers.

const EVERY_SECONDS = 2;
const LONGEST_WAIT_SECONDS = 30;
const ANSWER_WITHIN_SECONDS = 5;
// The page's own place, without what a browser may keep of a user name in it.
const here = location.origin + location.pathname.replace(/[^/]*$/, "");

const state = { failures: 0, answeredAt: null, announced: "", timer: 0, status: null };

async function get(path) {
  const signal = AbortSignal.timeout(ANSWER_WITHIN_SECONDS * 1000);
  const answer = await fetch(here + path, { signal, cache: "no-store" });
  if (!answer.ok) throw new Error(await refusal(answer));
  return answer.json();
}

async function refusal(answer) {
  const body = await answer.json().catch(() => null);
  return `it answered ${answer.status}: ${body?.error?.message || "nothing in words"}`;
}

async function refresh() {
  clearTimeout(state.timer);
  try {
    const since = lastPoint();
    const [status, history] = await Promise.all([
      get("api/status"), get("api/history" + (since === undefined ? "" : "?since=" + since)),
    ]);
    serverClock.set(status.now);
    state.failures = 0;
    state.answeredAt = Date.now();
    state.status = status;
    document.body.classList.remove("stale");
    showStatus(status);
    takeHistory(history);
  } catch (error) {
    state.failures += 1;
    showSilence(error);
  }
  refreshAges();
  const wait = Math.min(EVERY_SECONDS * 2 ** Math.max(0, state.failures - 1), LONGEST_WAIT_SECONDS);
  // A page that nobody looks at asks nothing until it is looked at again.
  if (!document.hidden) state.timer = setTimeout(refresh, wait * 1000);
}

function showStatus(status) {
  const { overall } = status;
  const [what, why] = parts(overall.sentence);
  showHead(overall.status, what, why);
  const others = overall.others || 0;
  const runbook = runbookLink(status, overall.alert, "Open the runbook");
  show(byId("action"), runbook || "",
    others > 0 ? ` ${others} further ${others === 1 ? "finding" : "findings"} below` : "");
  announce(`${overall.status} ${what.split(" since ")[0]}`, overall.sentence);
  showSections(status);
}

// "What is the matter since when (how long): why" in its two parts.
function parts(sentence) {
  const at = sentence.indexOf("): ");
  return at < 0 ? [sentence, ""] : [sentence.slice(0, at + 1), sentence.slice(at + 3)];
}

function showHead(status, what, why) {
  document.body.dataset.status = known(status);
  show(byId("symbol"), symbol(status));
  show(byId("sentence"), make("span", { class: "unseen" }, WORDS[known(status)] + ": "), what);
  byId("why").textContent = sentence(why);
  document.title = `${WORDS[known(status)]}: ${what}`;
  showIcon(status);
}

function showIcon(status) {
  const color = getComputedStyle(document.body).getPropertyValue("--state").trim();
  const svg = `<svg xmlns="${SVG}" viewBox="0 0 24 24"><path fill="${color}" d="` +
    `${SHAPES[known(status)][0]}"/></svg>`;
  const href = "data:image/svg+xml," + encodeURIComponent(svg);
  if (byId("icon").getAttribute("href") !== href) byId("icon").setAttribute("href", href);
}

// Said aloud only when something else is the matter, not when a figure in the sentence moves.
function announce(what, sentence) {
  if (what === state.announced) return;
  state.announced = what;
  byId("announcement").textContent = sentence;
}

// Since when nobody answers, and why. What is below is the past, and looks like it.
function showSilence(error) {
  const since = state.answeredAt ? absolute(state.answeredAt) : null;
  const what = since ? `The sidecar has not answered since ${since}` : "The sidecar does not answer";
  const why = error.name === "TimeoutError"
    ? `no answer within ${ANSWER_WITHIN_SECONDS} s`
    : error instanceof TypeError ? "no connection" : error.message;
  document.body.classList.toggle("stale", state.answeredAt !== null);
  showHead("unknown", what, why + ". Nothing is known about the sequencer until it answers again.");
  show(byId("action"), make("button", { type: "button", id: "again" }, "Ask now"));
  byId("again").onclick = refresh;
  announce("silence", what);
}

setInterval(refreshAges, 1000);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
refresh();
