import { Link } from "@tanstack/react-router";
import { memo } from "react";
import { Icon, StatusIcon } from "@/components/Icon";
import { count, duration, plural } from "@/format/format";
import type { Axis } from "./axis";
import { FoldBars, JobBars, type Plot } from "./Bars";
import { incompleteIn, isOpen, type Tree } from "./outline";
import type { FoldRow, JobRow, Row } from "./rows";

export interface RowActions {
  readonly onToggle: (row: Row) => void;
  readonly onRetry: ((row: number) => void) | null;
}

interface TreeRowProps extends RowActions {
  tree: Tree;
  row: Row;
  plot: Plot;
  isCritical: boolean;
  /** When the critical path goes through it; null: it does not. */
  critical: Axis | null;
}

/** What stands in a row: the job with what it waits for, how long it ran, and its bars. */
export const TreeRow = memo(function TreeRow({
  tree,
  row,
  plot,
  isCritical,
  critical,
  onToggle,
  onRetry,
}: TreeRowProps) {
  return (
    <>
      <span role="gridcell" className={`tn ${isCritical ? "critical" : ""}`}>
        <span className="indent" style={{ width: row.level * 16 }} aria-hidden="true" />
        <Chevron row={row} onToggle={onToggle} />
        {row.kind === "job" ? <JobName tree={tree} row={row} onRetry={onRetry} /> : <FoldName row={row} />}
      </span>
      <span role="gridcell" className={`r ran ${isCritical ? "m" : ""}`}>
        {row.kind === "job" ? ranOf(tree, row.row, plot.now) : longestOf(tree, row, plot.now)}
      </span>
      <span role="gridcell" className="wf">
        {plot.width > 0 &&
          (row.kind === "job" ? (
            <JobBars tree={tree} row={row.row} plot={plot} critical={critical} />
          ) : (
            <FoldBars tree={tree} fold={row} plot={plot} />
          ))}
      </span>
    </>
  );
});

function Chevron({ row, onToggle }: { row: Row; onToggle: (row: Row) => void }) {
  if (row.kind === "job" && !row.hasChildren) return <span className="chevron" />;
  return (
    <button
      type="button"
      tabIndex={-1}
      className={`chevron ${row.isOpen ? "open" : ""}`}
      aria-label={row.isOpen ? "Close" : "Open"}
      onClick={() => {
        onToggle(row);
      }}
    >
      <Icon name="chevron" size={12} />
    </button>
  );
}

function JobName({
  tree,
  row: { row, isAbove, hasChildren },
  onRetry,
}: {
  tree: Tree;
  row: JobRow;
  onRetry: ((row: number) => void) | null;
}) {
  const { columns } = tree;
  const status = tree.status[row] ?? "pending";
  const incomplete = incompleteIn(tree, row);
  return (
    <>
      <StatusIcon status={status} />
      <span className="sr">{status}</span>
      <Link
        to="/jobs/$jobId"
        params={{ jobId: columns.id[row] ?? "" }}
        tabIndex={-1}
        className={`plain cut name ${isAbove ? "ink-3" : ""}`}
      >
        {columns.name[row]}
      </Link>
      <span className="dim cut">{detailOf(tree, row, hasChildren)}</span>
      <Progress tree={tree} row={row} />
      {onRetry && incomplete > 0 && (
        <button
          type="button"
          tabIndex={-1}
          className="btn ghost small retry-below"
          onClick={() => {
            onRetry(row);
          }}
        >
          Retry {hasChildren ? count(incomplete) : ""}…
        </button>
      )}
    </>
  );
}

function FoldName({ row }: { row: FoldRow }) {
  return (
    <>
      <StatusIcon status={row.status} />
      <span className="cut">
        {plural(row.rows.length, "job")}, {row.status}
      </span>
      <span className="dim cut">
        {row.jobType}
        {row.jobs > row.rows.length && ` · ${plural(row.jobs, "job")} with those below`}
      </span>
    </>
  );
}

/** How many sub-jobs of a job have not ended. */
function openSubJobs({ columns }: Tree, row: number): number {
  const of = (counts: readonly (number | null)[]) => counts[row] ?? 0;
  const ended = of(columns.sub_jobs_completed) + of(columns.sub_jobs_failed) + of(columns.sub_jobs_cancelled);
  return Math.max(0, of(columns.sub_jobs) - ended);
}

/** What a job is, or what it waits for. */
function detailOf(tree: Tree, row: number, hasChildren: boolean): string {
  const { job_type, queue, sub_jobs, attempt, run, reason } = tree.columns;
  const status = tree.status[row];
  if (hasChildren) {
    const open = openSubJobs(tree, row);
    const waits = status === "running" && open > 0 ? ` · waits for ${plural(open, "sub-job")}` : "";
    return `${job_type[row] ?? ""}${waits} · ${plural((tree.end[row] ?? 0) - row - 1, "job")} below`;
  }
  if ((sub_jobs[row] ?? 0) > 0) return plural(sub_jobs[row] ?? 0, "sub-job");
  if (status === "pending" && queue[row]) return `waits in queue ${queue[row]}`;
  if (status === "failed" && reason[row]) return reason[row];
  const parts = [
    job_type[row],
    (run[row] ?? 1) > 1 ? `run ${run[row]}` : null,
    (attempt[row] ?? 0) > 0 ? `attempt ${(attempt[row] ?? 0) + 1}` : null,
  ];
  return parts.filter((part) => part != null).join(" · ");
}

/** How far a job is: its sub-jobs by outcome, or what its task reports. */
function Progress({ tree, row }: { tree: Tree; row: number }) {
  const { sub_jobs, sub_jobs_completed, sub_jobs_failed, sub_jobs_cancelled, progress_done, progress_total } =
    tree.columns;
  const subs = sub_jobs[row] ?? 0;
  const total = subs || (isOpen(tree, row) ? (progress_total[row] ?? 0) : 0);
  if (total === 0) return null;
  const pieces = subs
    ? ([
        ["completed", sub_jobs_completed[row] ?? 0],
        ["failed", sub_jobs_failed[row] ?? 0],
        ["cancelled", sub_jobs_cancelled[row] ?? 0],
      ] as const)
    : ([["running", progress_done[row] ?? 0]] as const);
  const said = pieces
    .filter(([, n]) => n > 0)
    .map(([word, n]) => `${count(n)} ${word === "running" ? "done" : word}`);
  const name = `${said.join(", ") || "0"} of ${count(total)}`;
  return (
    <span className="bar progress" role="img" aria-label={name} title={name}>
      {pieces.map(([word, n]) => (
        <i key={word} className={`m-${word}`} style={{ width: `${Math.min(100, (n / total) * 100)}%` }} />
      ))}
    </span>
  );
}

function secondsOf(tree: Tree, row: number, now: number): number | null {
  const started = tree.started[row] ?? Number.NaN;
  if (Number.isNaN(started)) return null;
  return ((isOpen(tree, row) ? now : (tree.finished[row] ?? now)) - started) / 1000;
}

function ranOf(tree: Tree, row: number, now: number): string {
  return duration(secondsOf(tree, row, now));
}

function longestOf(tree: Tree, fold: FoldRow, now: number): string {
  let most: number | null = null;
  for (const row of fold.rows) {
    const seconds = secondsOf(tree, row, now);
    if (seconds !== null && (most === null || seconds > most)) most = seconds;
  }
  return most === null ? duration(null) : `≤ ${duration(most)}`;
}
