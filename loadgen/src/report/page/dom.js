// The record, and states as shapes.

const record = JSON.parse(document.getElementById("data").textContent);

const byId = (id) => document.getElementById(id);

// Each state has a shape of its own, so that colour is never the only sign.
const SHAPES = {
  ok: ["M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20z", "M7.2 12.4l3.3 3.3 6.4-7"],
  warn: ["M12 2.6 22.6 21H1.4z", "M12 9v5.4M12 17.1v.9"],
  fail: ["M7.9 2h8.2L22 7.9v8.2L16.1 22H7.9L2 16.1V7.9z", "M8.4 8.4l7.2 7.2M15.6 8.4l-7.2 7.2"],
};

function symbol(state) {
  const [outline, sign] = SHAPES[state];
  return make("span", { class: "symbol" },
    make("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" },
      make("path", { d: outline, class: "outline" }), make("path", { d: sign, class: "sign" })));
}

const word = (state, text) =>
  make("span", { class: "word", "data-state": state }, symbol(state), text);

// A part of the page under a headline.
function section(id, title, ...children) {
  return make("section", { id, "aria-labelledby": id + "-title" },
    make("h2", { id: id + "-title" }, title), children);
}

const note = (...text) => make("p", { class: "note" }, text);

// A table in a room that scrolls by itself where it is too narrow. A column is its title and
// whether it holds figures; a row is its cells.
function table(columns, rows, caption) {
  const cell = (tag, content, index) =>
    make(tag, { class: columns[index][1] && "figure", scope: tag === "th" && "row" }, content);
  return make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption },
    make("table", null,
      make("thead", null, make("tr", null, columns.map(([title, isFigure]) =>
        make("th", { scope: "col", class: isFigure && "figure" }, title)))),
      make("tbody", null, rows.map((cells) => make("tr", null, cells.map((content, index) =>
        cell(index === 0 ? "th" : "td", content, index)))))));
}

// Pairs of a name and a value; those without a value are left out.
function facts(title, pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return make("div", null, make("h3", null, title), make("dl", null,
    known.map(([name, value]) => [make("dt", null, name), make("dd", null, value)])));
}
