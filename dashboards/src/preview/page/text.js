// Words: a tree of elements that was made of Markdown.

const grown = (node) =>
  (typeof node === "string" ? node : make(node[0], null, node.slice(1).map(grown)));

function drawText({ words }, body) {
  body.append(make("div", { class: "words" }, grown(words)));
}
