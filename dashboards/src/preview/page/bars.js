// A bar a line, from the least to the largest value.

function drawBars(panel, body) {
  const { field, lines: { list, left_out: leftOut } } = panel;
  const known = list.filter(({ values }) => values.some(isNumber));
  const min = field.min ?? 0;
  const max = field.max ?? Math.max(...known.map(({ values }) => lastOf(values)), min);
  const bars = known.map((line) => {
    const value = lastOf(line.values);
    const { text, colour: name } = figure(value, field);
    const share = max > min ? Math.min(1, Math.max(0, (value - min) / (max - min))) : 0;
    const bar = styled(make("span", { class: "bar", "aria-hidden": "true" }), { "--share": share });
    return make("li", { "data-colour": name },
      make("span", { class: "name", title: named(line) }, named(line)), bar, make("b", null, text));
  });
  const rest = leftOut > 0 && make("li", null, `${leftOut} more are not drawn`);
  body.append(make("ul", { class: "bars" }, bars, rest));
}
