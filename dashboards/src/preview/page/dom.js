// Elements with custom properties, and the last of many values.

// The policy of the page knows no style attributes, so custom properties are set one by one.
function styled(element, properties) {
  for (const [name, value] of Object.entries(properties)) {
    element.style.setProperty(name, String(value));
  }
  return element;
}

const byId = (id) => document.getElementById(id);
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const lastOf = (values) => values.findLast(isNumber) ?? null;

// What a series is called where a name is needed.
const named = (line) => line.name || "value";
