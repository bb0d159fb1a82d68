import { type PointerEvent, useMemo, useRef, useState } from "react";
import type { Status } from "@/api/types";
import type { Axis } from "./axis";
import type { Tree } from "./outline";
import { density } from "./rows";

const HEIGHT_PX = 30;
const PIECE_PX = 6;
const LEAST_DRAG_PX = 4;
/** From the bottom to the top. */
const STACK: readonly Status[] = ["completed", "running", "retrying", "cancelled", "failed"];

interface OverviewProps {
  tree: Tree;
  whole: Axis;
  /** What is shown; null: all of it. */
  axis: Axis | null;
  width: number;
  now: number;
  onChange: (axis: Axis | null) => void;
}

/** How many jobs ran at a time, over the whole tree. A drag shows a part of it, a click all of it. */
export function Overview({ tree, whole, axis, width, now, onChange }: OverviewProps) {
  const begun = useRef<number | null>(null);
  const [dragged, setDragged] = useState<readonly [number, number] | null>(null);
  const pieces = Math.max(1, Math.floor(width / PIECE_PX));
  const paths = useMemo(() => stacked(tree, whole, pieces, now), [tree, whole, pieces, now]);
  const shown = dragged ?? (axis ? [placed(axis.from), placed(axis.to)] : [0, width]);

  function placed(time: number): number {
    return ((time - whole.from) / (whole.to - whole.from)) * width;
  }
  function timeOf(x: number): number {
    return whole.from + (Math.max(0, Math.min(width, x)) / width) * (whole.to - whole.from);
  }
  function xOf(event: PointerEvent): number {
    return event.clientX - event.currentTarget.getBoundingClientRect().left;
  }

  return (
    <svg
      className="overview"
      width={width}
      height={HEIGHT_PX}
      role="img"
      aria-label="How many jobs ran at a time. The keys + and - zoom, [ and ] move, 0 shows all."
      onPointerDown={(event) => {
        begun.current = xOf(event);
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={(event) => {
        if (begun.current === null) return;
        const x = xOf(event);
        setDragged([Math.min(begun.current, x), Math.max(begun.current, x)]);
      }}
      onPointerUp={(event) => {
        const from = begun.current;
        begun.current = null;
        setDragged(null);
        if (from === null) return;
        const to = xOf(event);
        if (Math.abs(to - from) < LEAST_DRAG_PX) onChange(null);
        else onChange({ from: timeOf(Math.min(from, to)), to: timeOf(Math.max(from, to)) });
      }}
      onPointerCancel={() => {
        begun.current = null;
        setDragged(null);
      }}
    >
      {paths.map(([status, path]) => (
        <path key={status} d={path} className={`f-${status} quiet`} />
      ))}
      <rect
        x={shown[0]}
        y=".5"
        width={Math.max(1, (shown[1] ?? 0) - (shown[0] ?? 0) - 1)}
        height={HEIGHT_PX - 1}
        rx="3"
        className="brush"
      />
    </svg>
  );
}

function stacked(tree: Tree, whole: Axis, pieces: number, now: number): [Status, string][] {
  const rows = new Map<Status, number[]>(STACK.map((status) => [status, []]));
  for (let row = 0; row < tree.size; row += 1)
    if ((tree.end[row] ?? 0) === row + 1) rows.get(tree.status[row] ?? "pending")?.push(row);
  const counts = STACK.map((status) =>
    density(tree, rows.get(status) ?? [], { ...whole, pieces, now }, "runs"),
  );
  let most = 1;
  for (let piece = 0; piece < pieces; piece += 1)
    most = Math.max(
      most,
      counts.reduce((sum, each) => sum + (each[piece] ?? 0), 0),
    );
  const room = HEIGHT_PX - 6;
  const heights = new Float64Array(pieces);
  return STACK.map((status, index) => {
    const path: string[] = [];
    for (let piece = 0; piece < pieces; piece += 1) {
      const value = counts[index]?.[piece] ?? 0;
      if (value === 0) continue;
      const high = Math.max(1, (value / most) * room);
      const bottom = HEIGHT_PX - 3 - (heights[piece] ?? 0);
      path.push(`M${piece * PIECE_PX} ${bottom}v${-high}h${PIECE_PX - 1}v${high}z`);
      heights[piece] = (heights[piece] ?? 0) + high;
    }
    return [status, path.join("")];
  });
}
