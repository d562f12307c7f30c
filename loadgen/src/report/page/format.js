// Figures and times as people read them.

const NOTHING = "–";
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

function count(value) {
  if (!isNumber(value)) return NOTHING;
  const digits = [[100, 0], [10, 1], [1, 2]].find(([least]) => Math.abs(value) >= least);
  return value.toLocaleString("en",
    digits ? { maximumFractionDigits: digits[1] } : { maximumSignificantDigits: 2 });
}

const perSecond = (value) => (isNumber(value) ? count(value) + "/s" : NOTHING);

// A latency in seconds, in the unit that fits.
function seconds(value) {
  if (!isNumber(value)) return NOTHING;
  if (value === 0) return "0";
  if (value < 0.0009995) return Math.round(value * 1e6) + " µs";
  if (value < 0.09995) return (Math.round(value * 1e4) / 10).toFixed(1) + " ms";
  if (value < 0.9995) return Math.round(value * 1000) + " ms";
  return value < 99.95 ? value.toFixed(2) + " s" : count(Math.round(value)) + " s";
}

// The same without digits that say nothing, for axes.
const shortSeconds = (value) => seconds(value).replace(/\.0+ /, " ");

const micros = (value) => (isNumber(value) ? seconds(value / 1e6) : NOTHING);

function bytes(value) {
  if (!isNumber(value)) return NOTHING;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  for (; value >= 1024 && at < units.length - 1; at += 1) value /= 1024;
  return (value < 10 && at > 0 ? value.toFixed(1) : Math.round(value)) + " " + units[at];
}

// A share; small ones keep their digits.
function share(value) {
  if (!isNumber(value)) return NOTHING;
  const percent = value * 100;
  if (percent === 0) return "0 %";
  return percent.toFixed(percent < 1 ? 3 : percent < 99.95 ? 1 : 0) + " %";
}

const shortShare = (value) => share(value).replace(/\.0+ /, " ");

// A length of time, and a moment of the run.
function length(value) {
  const whole = Math.round(value);
  if (Math.abs(whole) < 120) return whole + " s";
  const [hours, minutes, rest] = [whole / 3600, (whole / 60) % 60, whole % 60].map(Math.trunc);
  return [[hours, "h"], [minutes, "min"], [rest, "s"]].filter(([value]) => value)
    .map(([value, unit]) => `${value} ${unit}`).join(" ");
}

const utc = new Intl.DateTimeFormat("en-GB",
  { dateStyle: "medium", timeStyle: "medium", timeZone: "UTC" });

function moment(text) {
  const at = Date.parse(text);
  if (!Number.isFinite(at)) return text || NOTHING;
  return make("time", { datetime: text }, utc.format(at) + " UTC");
}

const spoken = (name) => String(name).replaceAll("_", " ");
const titled = (name) => {
  const text = spoken(name).replace(/^cpu\b/, "CPU");
  return text.charAt(0).toUpperCase() + text.slice(1);
};

// How the values of a metric are said, by the unit at the end of its name.
function unitOf(name) {
  const units = [["_per_second", perSecond, perSecond], ["_seconds", seconds, shortSeconds],
    ["_bytes", bytes, bytes], ["_ratio", share, shortShare]];
  const [end, say, axis] = units.find(([end]) => name.endsWith(end)) || ["", count, count];
  return { title: titled(name.slice(0, name.length - end.length)), say, axis };
}
