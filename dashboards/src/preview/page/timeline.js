// Bands that change their colour with the state.

function drawTimeline(panel, body) {
  const { field, lines: { list, left_out: leftOut } } = panel;
  const known = list.filter(({ values }) => values.some(isNumber));
  const bands = known.map((line) => {
    const now = figure(lastOf(line.values), field).text;
    const pieces = piecesOf(line.values, field).map(band);
    const name = make("span", { class: "name", title: named(line) }, named(line),
      make("span", { class: "unseen" }, `: ${now}`));
    return [name, make("div", { class: "band", "aria-hidden": "true" }, pieces)];
  });
  const middle = (source.start + source.end) / 2;
  const below = make("div", { class: "moments", "aria-hidden": "true" },
    [source.start, middle, source.end].map((at) => make("span", null, moment(at))));
  const rest = leftOut > 0 && `${leftOut} more are not drawn`;
  body.append(make("div", { class: "bands" }, bands, make("span"), below),
    make("p", { class: "legend" }, statesOf(known, field), rest));
}

// Stretches of one state; where nothing is known there is none.
function piecesOf(values, field) {
  const pieces = [];
  values.forEach((value, place) => {
    if (value === null) return;
    const { text, colour: name } = figure(value, field);
    const last = pieces.at(-1);
    if (last && last.to === place && last.text === text) last.to = place + 1;
    else pieces.push({ from: place, to: place + 1, text, name });
  });
  return pieces;
}

function band({ from, to, text, name }) {
  const first = moment(times[from]);
  const piece = make("span", { "data-colour": name, title: `${text} from ${first}` }, text);
  return styled(piece, { "--from": from / points, "--to": to / points });
}

// Which colours there are, each once.
function statesOf(list, field) {
  const seen = new Map();
  for (const { values } of list) {
    for (const { text, name } of piecesOf(values, field)) seen.set(text, name);
  }
  return [...seen].map(([text, name]) =>
    make("span", { class: "key", "data-colour": name }, text));
}
