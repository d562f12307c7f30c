// Elements kept up to date, and statuses as shapes and words.

// Makes the children of `parent` equal to `wanted`, and keeps every element that may stay: a link
// that has the keyboard's focus keeps it while the figures around it change.
function show(parent, ...wanted) {
  const children = wanted.flat(Infinity).filter((child) => child !== null && child !== false);
  const fresh = make("div", null, children);
  mendChildren(parent, fresh);
}

function mendChildren(old, fresh) {
  const wanted = [...fresh.childNodes];
  wanted.forEach((node, index) => {
    const present = old.childNodes[index];
    if (!present) {
      old.append(node);
    } else if (present.nodeType !== node.nodeType || present.nodeName !== node.nodeName) {
      present.replaceWith(node);
    } else if (node.nodeType === Node.TEXT_NODE) {
      if (present.data !== node.data) present.data = node.data;
    } else {
      mendAttributes(present, node);
      mendChildren(present, node);
    }
  });
  while (old.childNodes.length > wanted.length) old.lastChild.remove();
}

function mendAttributes(old, fresh) {
  for (const name of old.getAttributeNames()) {
    if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const name of fresh.getAttributeNames()) {
    const value = fresh.getAttribute(name);
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

const byId = (id) => document.getElementById(id);

// Each status has a shape of its own, so that colour is never the only sign.
const SHAPES = {
  ok: ["M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20z", "M7.2 12.4l3.3 3.3 6.4-7"],
  warn: ["M12 2.6 22.6 21H1.4z", "M12 9v5.4M12 17.1v.9"],
  fail: ["M7.9 2h8.2L22 7.9v8.2L16.1 22H7.9L2 16.1V7.9z", "M8.4 8.4l7.2 7.2M15.6 8.4l-7.2 7.2"],
  unknown: ["M4 4h16v16H4z", "M9.6 9.7a2.5 2.5 0 1 1 3.5 2.3c-.8.4-1.1.9-1.1 1.8M12 16.6v.8"],
};
const WORDS = { ok: "Good", warn: "Warning", fail: "Failed", unknown: "Unknown" };
const known = (status) => (status in SHAPES ? status : "unknown");

function symbol(status) {
  const [outline, sign] = SHAPES[known(status)];
  return make("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" },
    make("path", { d: outline, fill: "currentColor" }),
    make("path", {
      d: sign, fill: "none", stroke: "var(--paper)", "stroke-width": "2.4",
      "stroke-linecap": "round", "stroke-linejoin": "round",
    }));
}

// A status in words, with its shape.
function word(status) {
  return make("span", { class: "word", "data-status": known(status) },
    make("span", { class: "symbol" }, symbol(status)), WORDS[known(status)]);
}
