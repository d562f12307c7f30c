// The labels of what is there.

function drawTable({ table: { columns, rows, left_out: leftOut } }, body) {
  const head = make("tr", null, columns.map((name) => make("th", { scope: "col" }, name)));
  const lines = rows.map((row) => make("tr", null, row.map((cell) => make("td", null, cell))));
  body.append(make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Table" },
    make("table", null, make("thead", null, head), make("tbody", null, lines))));
  if (leftOut > 0) body.append(make("p", { class: "legend" }, `${leftOut} more are not shown`));
}
