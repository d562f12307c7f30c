// One large number a line, on the colour of its state.

function drawStat(panel, body) {
  const { field, lines: { list, left_out: leftOut } } = panel;
  const known = list.map((line) => ({ line, value: lastOf(line.values) }))
    .filter(({ value }) => value !== null);
  const tiles = known.map(({ line, value }) => {
    const { text, colour: name } = figure(value, field);
    const tile = make("div", { class: "tile", "data-colour": name },
      known.length > 1 && make("span", { class: "name", title: named(line) }, named(line)),
      make("span", { class: "value" }, text));
    return styled(tile, { "--letters": Math.max(text.length, 3) });
  });
  const many = styled(make("div", { class: "tiles" }, tiles), { "--tiles": tiles.length });
  body.append(many);
  if (leftOut > 0) body.append(make("p", { class: "legend" }, `${leftOut} more are not drawn`));
}
