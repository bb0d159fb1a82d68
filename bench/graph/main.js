/**
 * A tree drawn as a node graph, with the library that other pages of this kind use. `width`: so many groups, less one,
 * of so many jobs, below one root. `all`: the whole of it is in sight; else it is drawn in its size, and only what is in
 * sight is in the document. The places are given: a real page has to ask for the tree and to lay it out, too.
 */
import "@xyflow/react/dist/style.css";
import { ReactFlow } from "@xyflow/react";
import { createElement } from "react";
import { createRoot } from "react-dom/client";

const asked = new URLSearchParams(location.search);
const width = Number(asked.get("width"));
const isAll = asked.has("all");

const nodes = [{ id: "root", position: { x: 0, y: 0 }, data: { label: "bench.collect" } }];
const edges = [];
for (let group = 0; group < width - 1; group++) {
  add(`${group}`, "root", "bench.collect", 1, group * width);
  for (let job = 0; job < width; job++) add(`${group}-${job}`, `${group}`, "bench.noop", 2, group * width + job);
}

function add(id, parent, label, column, row) {
  nodes.push({ id, position: { x: column * 250, y: row * 50 }, data: { label } });
  edges.push({ id: `to ${id}`, source: parent, target: id });
}

createRoot(document.getElementById("graph")).render(
  createElement(ReactFlow, {
    defaultNodes: nodes,
    defaultEdges: edges,
    nodesDraggable: false,
    panOnScroll: true,
    minZoom: 0.001,
    fitView: isAll,
    onlyRenderVisibleElements: !isAll,
  }),
);
