// The tree of authorities as a picture.  The table below it says the same in text.
import { hierarchy, tree } from "./vendor/d3-hierarchy/d3-hierarchy.min.mjs";

const card = document.querySelector("[data-tree-card]");
const WIDTH = 208;
const HEIGHT = 56;
const GAP = 56;
const ROW = 76;

function element(name, attributes, ...inside) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...inside);
  return made;
}

function grown(nodes) {
  const below = (name) =>
    nodes.filter((node) => node.parent === name).map((node) => ({ ...node, children: below(node.name) }));
  return { name: "", children: below(null) };
}

function box(node) {
  const { name, key, ends, tone, offline, state } = node.data;
  const year = ends ? `until ${new Date(ends * 1000).toISOString().slice(0, 10)}` : "no certificate yet";
  const note = state === "disabled" ? "disabled" : offline ? `${key} · offline` : key;
  const link = element("a", { href: `/console/authorities/${encodeURIComponent(name)}`, tabindex: -1, class: `tree-node tree-${tone}` });
  link.append(
    element("rect", { x: 0, y: 0, width: WIDTH, height: HEIGHT, rx: 8 }),
    element("rect", { class: "tree-edge", x: 0, y: 8, width: 3, height: HEIGHT - 16, rx: 1.5 }),
    element("text", { class: "tree-name", x: 16, y: 23 }, name.length > 24 ? `${name.slice(0, 23)}…` : name),
    element("text", { class: "tree-note", x: 16, y: 41 }, `${note} · ${year}`),
  );
  const place = element("g", { transform: `translate(${left(node)} ${node.x})` }, link);
  return place;
}

const left = (node) => (node.depth - 1) * (WIDTH + GAP) + 1;

function line(from, to) {
  const x1 = left(from) + WIDTH;
  const y1 = from.x + HEIGHT / 2;
  const x2 = left(to);
  const y2 = to.x + HEIGHT / 2;
  const bend = (x1 + x2) / 2;
  return element("path", { class: "tree-line", d: `M${x1} ${y1}C${bend} ${y1} ${bend} ${y2} ${x2} ${y2}` });
}

if (card) {
  const root = hierarchy(grown(JSON.parse(card.querySelector("[data-tree-nodes]").textContent)));
  tree().nodeSize([ROW, WIDTH + GAP])(root);
  const shown = root.descendants().filter((node) => node.depth > 0);
  const top = Math.min(...shown.map((node) => node.x));
  for (const node of shown) node.x += 1 - top;
  const width = Math.max(...shown.map(left)) + WIDTH + 1;
  const height = Math.max(...shown.map((node) => node.x)) + HEIGHT + 1;
  const picture = element("svg", { width, height, viewBox: `0 0 ${width} ${height}` });
  picture.append(
    ...shown.filter((node) => node.depth > 1).map((node) => line(node.parent, node)),
    ...shown.map(box),
  );
  card.querySelector("[data-tree]").append(picture);
  card.hidden = false;
}
