// Puts the page together: the index, or the rows of one board.

const page = JSON.parse(byId("data").textContent);
const DRAW = {
  stat: drawStat, timeseries: drawLines, gauge: drawGauge, bargauge: drawBars,
  heatmap: drawHeatmap, table: drawTable, "state-timeline": drawTimeline, text: drawText,
};
const fileOf = ({ uid }) => `${uid}.html`;
// All boards begin with the same word.
const shortTitle = ({ title }) => title.replace("Sequencer / ", "");

function showTop(title, about) {
  const here = { "aria-current": "page" };
  const index = make("a", { href: "index.html", ...(page.uid ? {} : here) }, "All boards");
  const links = page.boards.map((board) =>
    make("a", { href: fileOf(board), ...(board.uid === page.uid ? here : {}) }, shortTitle(board)));
  byId("top").append(
    make("nav", { "aria-label": "Boards" }, index, links),
    make("h1", null, title), make("p", { class: "about" }, about),
    make("p", { class: "source" },
      make("span", null, `Drawn ${whole.format(source.end * 1000)}`),
      make("span", null, `Prometheus ${source.host}`),
      make("span", null, `Last ${span(source.end - source.start)}, a point each ` +
        span(source.step))));
}

function showIndex() {
  showTop("Sequencer boards", "What the Grafana boards show, drawn once from live data.");
  const cards = page.boards.map((board) => {
    const { panels, drawn, empty, refused } = board;
    return make("li", null,
      make("h2", null, make("a", { href: fileOf(board) }, board.title)),
      make("p", null, board.about),
      make("p", { class: "count" },
        make("span", null, `${drawn} of ${panels} panels have data`),
        empty > 0 && make("span", null, `${empty} empty`),
        refused > 0 && make("span", { class: "bad" }, `${refused} refused`)));
  });
  byId("content").append(make("ul", { class: "cards" }, cards));
}

function showBoard() {
  const board = page.boards.find(({ uid }) => uid === page.uid);
  showTop(board.title, board.about);
  const bodies = [];
  page.rows.forEach((row, place) => {
    const id = `row-${place}`;
    const panels = row.panels.map((panel, at) => {
      const { element, body } = frame(panel, `${id}-${at}`);
      bodies.push([panel, body]);
      return element;
    });
    byId("content").append(make("section", { class: "row", "aria-labelledby": id },
      make("h2", { id }, row.title), make("div", { class: "grid" }, panels)));
  });
  // Only what has its place knows how much room there is.
  for (const [panel, body] of bodies) fillPanel(panel, body);
}

// The place, the title and what it means; what is drawn comes later.
function frame(panel, id) {
  const { x, y, w, h } = panel.grid;
  const body = make("div", { class: "body" });
  panel.clock = make("span", { class: "clock", "aria-hidden": "true" });
  const element = make("section", {
    class: "panel", "data-kind": panel.kind, "data-state": panel.state, "aria-labelledby": id,
    "data-edge": x + w > 16 ? "right" : "left",
  }, make("div", { class: "head" },
    make("h3", { id, title: panel.title }, panel.title), panel.clock,
    panel.kind !== "text" && info(panel)), body);
  const place = { "--x": x + 1, "--y": y + 1, "--w": w, "--h": h };
  return { element: styled(element, place), body };
}

function info({ title, meaning, good, runbooks, queries }) {
  const links = runbooks.map(({ title: name, url }) =>
    make("a", { href: url, rel: "noreferrer" }, name.replace("Runbook: ", "")));
  return make("details", { name: "info" },
    make("summary", { "aria-label": `About ${title}` }, make("span", null, "i")),
    make("div", { class: "about-panel" },
      make("p", null, meaning),
      make("p", null, make("b", null, "Good: "), good),
      make("p", { class: "runbooks" }, make("b", null, "Runbook: "), links),
      queries.map(({ expr }) => make("code", null, expr))));
}

function fillPanel(panel, body) {
  for (const refusal of panel.refusals) {
    body.append(make("p", { class: "refusal" }, `refused: ${refusal}`));
  }
  const hasData = panel.state !== "empty" && (panel.words || panel.table?.rows.length ||
    panel.heat?.bounds.length || panel.lines?.list.some(({ values }) => values.some(isNumber)));
  if (hasData) {
    DRAW[panel.kind](panel, body);
  } else if (panel.state === "empty") {
    const why = panel.reasons.map((reason) => make("span", null, `empty: ${reason}`));
    body.append(make("p", { class: "nothing" }, why.length ? why : "no data"));
  }
}

// What is open above the panels closes as menus do.
addEventListener("keydown", ({ key }) => key === "Escape" && closeInfo(null));
addEventListener("click", ({ target }) => closeInfo(target.closest("details")));

function closeInfo(except) {
  for (const open of document.querySelectorAll("details[open]")) {
    if (open !== except) open.open = false;
  }
}

if (page.uid) showBoard();
else showIndex();
