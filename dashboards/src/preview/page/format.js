// Numbers, moments and colours as Grafana shows them.

const NOTHING = "–";
const DIGITS = 3;

const thousands = (...ends) => ends.map((end, power) => [1000 ** power, end]);
const binary = (after) => ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
  .map((name, power) => [1024 ** power, " " + name + after]);

// Each unit by Grafana's name: from which size on it is divided by it and followed by what.
const UNITS = {
  none: [[1, ""]],
  short: thousands("", " K", " Mil", " Bil", " Tri"),
  bytes: binary(""),
  binBps: binary("/s"),
  cps: thousands(" c/s", "K c/s", "M c/s", "B c/s"),
  cpm: thousands(" c/m", "K c/m", "M c/m", "B c/m"),
  reqps: thousands(" req/s", "K req/s", "M req/s", "B req/s"),
  s: [[1e-9, " ns"], [1e-6, " µs"], [1e-3, " ms"], [1, " s"], [60, " min"], [3600, " h"],
    [86400, " d"]],
};

// A number without its unit: so many digits that matter, and no zeros at the end.
function plain(value, digits, decimals) {
  if (isNumber(decimals)) return value.toFixed(decimals);
  if (Number.isInteger(value)) return String(value);
  const after = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value))));
  return String(Number(value.toFixed(Math.min(after, 20))));
}

function inUnit(value, unit, decimals, digits = DIGITS) {
  if (unit === "percentunit") return plain(tidy(value * 100), digits, decimals) + "%";
  if (unit === "dateTimeFromNow") return fromNow(value);
  const sizes = UNITS[unit] || UNITS.short;
  const size = value === 0
    ? sizes.find(([divisor]) => divisor >= 1)
    : sizes.findLast(([divisor]) => Math.abs(value) >= divisor * 0.9995) || sizes[0];
  return plain(tidy(value / size[0]), digits, decimals) + size[1];
}

// Without what binary fractions leave over: 0.07 * 100 is 7.
const tidy = (value) => Number(value.toPrecision(12));

// Names of the marks of an axis: as many digits as tell them apart.
function marks(values, { unit, decimals }) {
  for (let digits = DIGITS; ; digits += 1) {
    const names = values.map((value) => inUnit(value, unit, undefined, digits));
    if (digits > 8 || new Set(names).size === names.length) return names;
  }
}

// What a panel shows of a value: its name where it has one, else the number.
function figure(value, field) {
  if (!isNumber(value)) return { text: NOTHING, colour: null };
  const state = mapped(value, field);
  const step = field.thresholds.steps.findLast((one) => one.value === null || value >= one.value);
  return {
    text: state ? state.text : inUnit(value, field.unit, field.decimals),
    colour: state ? state.color : step ? step.color : null,
  };
}

const mapped = (value, field) => field.mappings[0]?.options[String(value)];

// Where an alert begins to fire; the colour is the alert's, on whichever side it is.
const GRAVITY = ["green", "blue", "orange", "red"];
const GRAVITY_NAMES = { blue: "info", orange: "warning", red: "critical" };

function limits(field) {
  const { steps } = field.thresholds;
  return steps.flatMap(({ value, color }, place) => {
    if (value === null) return [];
    const below = steps[place - 1]?.color;
    const worse = GRAVITY.indexOf(below) > GRAVITY.indexOf(color) ? below : color;
    return [{ value, colour: worse, name: GRAVITY_NAMES[worse] || "limit" }];
  });
}

// Moments of the data; a page is looked at later, so "now" is when it was drawn.
const { source } = JSON.parse(byId("data").textContent);
const DAY_SECONDS = 86400;
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" });
const clockSeconds = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const dayClock = new Intl.DateTimeFormat("en-GB", {
  day: "2-digit", month: "2-digit", hour: "2-digit", minute: "2-digit",
});
const whole = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "medium" });

function moment(seconds) {
  const span = source.end - source.start;
  const form = span > DAY_SECONDS ? dayClock : span > 900 ? clock : clockSeconds;
  return form.format(seconds * 1000);
}

function fromNow(milliseconds) {
  const seconds = source.end - milliseconds / 1000;
  const sizes = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600],
    ["minute", 60], ["second", 1]];
  const [name, size] = sizes.find(([, one]) => Math.abs(seconds) >= one) || ["second", 1];
  const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  return words.format(-Math.round(seconds / size), name);
}

function span(seconds) {
  const [size, name] = seconds >= 86400 ? [86400, "day"] : seconds >= 3600 ? [3600, "hour"]
    : seconds >= 60 ? [60, "minute"] : [1, "second"];
  const many = plain(seconds / size, DIGITS);
  return `${many} ${name}${many === "1" ? "" : "s"}`;
}
