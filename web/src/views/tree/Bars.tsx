/** The waterfall's part of a row: SVG, of which only the rows in sight are in the document. */
import { clock, count, duration, plural } from "@/format/format";
import type { Axis } from "./axis";
import { isOpen, type Tree } from "./outline";
import { density, type FoldRow, spansOf } from "./rows";

export interface Plot {
  readonly axis: Axis;
  readonly width: number;
  readonly height: number;
  readonly now: number;
}

const BAR_PX = 10;
const LEAST_PX = 2;
const PIECE_PX = 5;
/** What is narrower has no inside. */
const LEAST_FRAME_PX = 4;

/** Where a time is, in pixels; what is outside of the axis, a little outside. */
export function placeOf({ axis, width }: Plot, time: number): number {
  const x = ((time - axis.from) / (axis.to - axis.from)) * width;
  return Math.max(-4, Math.min(width + 4, x));
}

export function JobBars({
  tree,
  row,
  plot,
  critical,
}: {
  tree: Tree;
  row: number;
  plot: Plot;
  /** When the critical path goes through it; null: it does not. */
  critical: Axis | null;
}) {
  const { now, height } = plot;
  const status = tree.status[row] ?? "pending";
  const queued = tree.queued[row] ?? Number.NaN;
  const started = tree.started[row] ?? Number.NaN;
  const finished = tree.finished[row] ?? Number.NaN;
  const end = isOpen(tree, row) ? now : finished;
  const isParent = (tree.end[row] ?? 0) > row + 1;
  const own = tree.ownStarted[row] ?? Number.NaN;
  const y = (height - BAR_PX) / 2;
  const begin = Number.isNaN(started) ? end : started;
  const runs = isParent ? own : started;
  const name = spokenBar(tree, row, now);
  return (
    <svg width={plot.width} height={height} role="img" aria-label={name} className="bars">
      <title>{name}</title>
      {!Number.isNaN(queued) && begin > queued && (
        <Bar plot={plot} from={queued} to={begin} y={y} className="f-wait" />
      )}
      {isParent && !Number.isNaN(started) && (
        <rect
          x={placeOf(plot, started)}
          y={height / 2 - 1.5}
          width={Math.max(LEAST_PX, placeOf(plot, end) - placeOf(plot, started))}
          height={3}
          className="f-span"
        />
      )}
      {!Number.isNaN(runs) && <Bar plot={plot} from={runs} to={end} y={y} className={`f-${status}`} />}
      {Number.isNaN(runs) && (status === "cancelled" || status === "failed") && (
        <Bar plot={plot} from={finished} to={finished} y={y} className={`f-${status}`} />
      )}
      {critical && <CriticalMark plot={plot} span={critical} y={y} />}
    </svg>
  );
}

/** A frame around what the critical path goes through; a tick where that is too short for a frame. */
function CriticalMark({ plot, span, y }: { plot: Plot; span: Axis; y: number }) {
  const x = placeOf(plot, span.from);
  const width = placeOf(plot, span.to) - x;
  if (width < LEAST_FRAME_PX)
    return <path d={`M${x + width / 2} ${y - 3}v${BAR_PX + 6}`} className="f-critical" />;
  return <rect x={x} y={y - 2} width={width} height={BAR_PX + 4} rx="2" className="f-critical" />;
}

function Bar({
  plot,
  from,
  to,
  y,
  className,
}: {
  plot: Plot;
  from: number;
  to: number;
  y: number;
  className: string;
}) {
  const x = placeOf(plot, from);
  if (to < plot.axis.from || from > plot.axis.to) return null;
  return (
    <rect
      x={x}
      y={y}
      width={Math.max(LEAST_PX, placeOf(plot, to) - x)}
      height={BAR_PX}
      rx="1"
      className={className}
    />
  );
}

/** How many of the folded jobs ran at a time, and when some of them waited. */
export function FoldBars({ tree, fold, plot }: { tree: Tree; fold: FoldRow; plot: Plot }) {
  const { axis, width, height, now } = plot;
  const pieces = Math.max(1, Math.floor(width / PIECE_PX));
  const grid = { from: axis.from, to: axis.to, pieces, now };
  const running = density(tree, fold.rows, grid, "runs");
  const waiting = density(tree, fold.rows, grid, "waits");
  const most = running.reduce((sum, each) => Math.max(sum, each), 0);
  const mostWaited = waiting.reduce((sum, each) => Math.max(sum, each), 0);
  const name = [
    `${plural(fold.rows.length, "job")}, ${fold.status}`,
    most > 0 ? `at most ${count(most)} ran at a time` : "none ran in this time",
    mostWaited > 0 ? `at most ${count(mostWaited)} waited at a time` : null,
  ]
    .filter((part) => part !== null)
    .join("; ");
  const room = height - 5;
  const path = Array.from(running, (value, piece) => {
    if (value === 0) return "";
    const high = Math.max(1.5, (value / most) * room);
    return `M${piece * PIECE_PX} ${height - 2}v${-high}h${PIECE_PX - 1}v${high}z`;
  }).join("");
  return (
    <svg width={width} height={height} role="img" aria-label={name} className="bars">
      <title>{name}</title>
      {spansOf(waiting).map(([first, end]) => (
        <rect
          key={first}
          x={first * PIECE_PX}
          y={(height - BAR_PX) / 2}
          width={(end - first) * PIECE_PX}
          height={BAR_PX}
          className="f-wait"
        />
      ))}
      <path d={path} className={`f-${fold.status} quiet`} />
    </svg>
  );
}

/** A bar as a sentence: its tooltip, and its name for screen readers. */
export function spokenBar(tree: Tree, row: number, now: number): string {
  const status = tree.status[row] ?? "pending";
  const queued = tree.queued[row] ?? Number.NaN;
  const started = tree.started[row] ?? Number.NaN;
  const end = isOpen(tree, row) ? now : (tree.finished[row] ?? now);
  const { name, worker, attempt, run, reason } = tree.columns;
  const begin = Number.isNaN(started) ? end : started;
  const parts = [
    `${name[row] ?? ""}: ${status}`,
    Number.isNaN(queued) ? null : `waited ${duration((begin - queued) / 1000)}`,
    Number.isNaN(started) ? null : `began ${clock(started, now)}, ran ${duration((end - started) / 1000)}`,
    worker[row] && !Number.isNaN(started) ? `on ${worker[row]}` : null,
    (run[row] ?? 1) > 1 ? `run ${run[row]}` : null,
    (attempt[row] ?? 0) > 0 ? `attempt ${(attempt[row] ?? 0) + 1}` : null,
    reason[row],
  ];
  return parts.filter((part) => part != null && part !== "").join("; ");
}
