// Figures and times as people read them.

const NOTHING = "–";
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

function count(value) {
  if (!isNumber(value)) return NOTHING;
  const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : 1;
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}

const perSecond = (value) => (isNumber(value) ? count(value) + "/s" : NOTHING);

function seconds(value) {
  if (!isNumber(value)) return NOTHING;
  if (value < 0.0995) return (value * 1000).toPrecision(value < 0.00995 ? 2 : 3) * 1 + " ms";
  if (value < 0.9995) return Math.round(value * 1000) + " ms";
  return value < 9.95 ? value.toFixed(1) + " s" : length(value);
}

function bytes(value) {
  if (!isNumber(value)) return NOTHING;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  for (; value >= 1024 && at < units.length - 1; at += 1) value /= 1024;
  return (value < 10 && at > 0 ? value.toFixed(1) : Math.round(value)) + " " + units[at];
}

const percent = (value) => (isNumber(value) ? (value * 100).toFixed(1) + " %" : NOTHING);

// A length of time, coarse.
function length(value) {
  if (value < 120) return Math.max(0, Math.round(value)) + " s";
  if (value < 7200) return Math.floor(value / 60) + " min";
  if (value < 172800) return Math.floor(value / 3600) + " h";
  return Math.floor(value / 86400) + " days";
}

// The sidecar's clock as it runs on here: the reader's own may be wrong.
const serverClock = {
  offset: 0,
  set(now) { this.offset = Date.parse(now) - performance.now(); },
  now() { return performance.now() + this.offset; },
};

const clockTime = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const dayTime = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });

function absolute(milliseconds) {
  const sameDay = new Date(milliseconds).toDateString() === new Date().toDateString();
  return (sameDay ? clockTime : dayTime).format(milliseconds);
}

// A moment: when, and how long ago; the exact text in UTC is its title.
function moment(text, before = "") {
  const at = Date.parse(text);
  if (!Number.isFinite(at)) return make("span", null, NOTHING);
  return make("time", { datetime: text, title: text }, before + absolute(at), " · ",
    make("span", { "data-ago": at }, ago(at)));
}

const ago = (at) => length((serverClock.now() - at) / 1000);

// Every second the lengths grow, without asking anybody.
function refreshAges() {
  for (const element of document.querySelectorAll("[data-ago]")) {
    const text = ago(Number(element.dataset.ago));
    if (element.textContent !== text) element.textContent = text;
  }
}

const spoken = (name) => String(name).replaceAll("_", " ");
const titled = (name) => {
  const text = spoken(name).replace(/^wal\b/, "WAL");
  return text.charAt(0).toUpperCase() + text.slice(1);
};
// A sentence begins with a capital; an address is left as it is.
function sentence(text) {
  return /^\w+:/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);
}
// Both ends: made-up ids often begin alike.
function shortId(id) {
  const text = String(id);
  return text.length > 13 ? text.slice(0, 8) + "…" + text.slice(-4) : text;
}
