import { useMemo } from "react";
import { placeOf, type Plot } from "./Bars";
import type { CriticalPath } from "./criticalPath";
import type { Row } from "./rows";

/** So far outside of what is drawn a line ends that goes on. */
const BEYOND_PX = 20;

/**
 * How the critical path goes from row to row: down to the job it begins with, and up where a parent's task follows. Only
 * what lies between two rows is drawn: a picture as tall as 10,000 rows takes long to scroll.
 */
export function Connectors({
  path,
  rows,
  plot,
  rowPx,
  top,
  bottom,
}: {
  path: CriticalPath;
  rows: readonly Row[];
  plot: Plot;
  rowPx: number;
  /** The first row that is drawn. */
  top: number;
  /** The one behind the last. */
  bottom: number;
}) {
  const places = useMemo(() => {
    const wanted = new Set(path.rows);
    const found = new Map<number, number>();
    rows.forEach((row, index) => {
      if (row.kind === "job" && wanted.has(row.row)) found.set(row.row, index * rowPx + rowPx / 2);
    });
    return found;
  }, [path, rows, rowPx]);
  const height = (bottom - top) * rowPx;
  const begin = path.segments[0];
  const within = (y: number) => Math.max(-BEYOND_PX, Math.min(height + BEYOND_PX, y));
  const lines: { x: number; from: number; to: number }[] = [];
  const join = (time: number, from: number | undefined, to: number | undefined) => {
    const [above, below] = [places.get(from ?? -1), places.get(to ?? -1)];
    if (above === undefined || below === undefined || time < plot.axis.from || time > plot.axis.to) return;
    const [begins, ends] = [above - top * rowPx, below - top * rowPx];
    if (Math.max(begins, ends) < 0 || Math.min(begins, ends) > height) return;
    lines.push({ x: placeOf(plot, time), from: within(begins), to: within(ends) });
  };
  if (begin) join(begin.from, path.rows[0], begin.row);
  path.segments.forEach((segment, index) => {
    const next = path.segments[index + 1];
    if (next && next.row !== segment.row) join(segment.to, segment.row, next.row);
  });
  return (
    <svg width={plot.width} height={height} className="connectors">
      {lines.map(({ x, from, to }) => {
        const way = to > from ? 1 : -1;
        const end = to - way * 7;
        return (
          <g key={`${x} ${from} ${to}`}>
            <circle cx={x} cy={from} r="2.5" />
            <path
              d={`M${x} ${from}V${end}M${x - 3} ${end - way * 4}L${x} ${end}L${x + 3} ${end - way * 4}`}
            />
          </g>
        );
      })}
    </svg>
  );
}
