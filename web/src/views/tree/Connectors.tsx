import { placeOf, type Plot } from "./Bars";
import type { CriticalPath } from "./criticalPath";
import type { Row } from "./rows";

/** How the critical path goes from row to row: down to the job it begins with, and up where a parent's task follows. */
export function Connectors({
  path,
  rows,
  plot,
  rowPx,
}: {
  path: CriticalPath;
  rows: readonly Row[];
  plot: Plot;
  rowPx: number;
}) {
  const places = new Map<number, number>();
  const wanted = new Set(path.rows);
  rows.forEach((row, index) => {
    if (row.kind === "job" && wanted.has(row.row)) places.set(row.row, index * rowPx + rowPx / 2);
  });
  const begin = path.segments[0];
  const lines: { x: number; from: number; to: number }[] = [];
  const join = (time: number, from: number | undefined, to: number | undefined) => {
    const [above, below] = [places.get(from ?? -1), places.get(to ?? -1)];
    if (above === undefined || below === undefined || time < plot.axis.from || time > plot.axis.to) return;
    lines.push({ x: placeOf(plot, time), from: above, to: below });
  };
  if (begin) join(begin.from, path.rows[0], begin.row);
  path.segments.forEach((segment, index) => {
    const next = path.segments[index + 1];
    if (next && next.row !== segment.row) join(segment.to, segment.row, next.row);
  });
  return (
    <svg width={plot.width} height={rows.length * rowPx} className="connectors">
      {lines.map(({ x, from, to }) => {
        const way = to > from ? 1 : -1;
        const end = to - way * 7;
        return (
          <g key={`${x} ${from}`}>
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
