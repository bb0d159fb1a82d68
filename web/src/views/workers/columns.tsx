import type { WorkerFigures } from "@/api/fleet";
import { Link } from "@tanstack/react-router";
import type { Column } from "@/components/Grid";
import { Icon } from "@/components/Icon";
import { bytes, count, share, UNKNOWN } from "@/format/format";
import type { WorkerRow } from "./workerRows";

/** A worker with its figures of the last hour; null: none, for it is not tracked, or has been gone for a day. */
export interface WorkerLine extends WorkerRow {
  readonly figures: WorkerFigures | null;
}

export const COLUMNS: readonly Column<WorkerLine>[] = [
  {
    id: "name",
    title: "Worker",
    width: "minmax(150px, 1fr)",
    cell: ({ name }) => (
      <Link
        from="/workers"
        to="/workers"
        search={(old) => ({ ...old, worker: name })}
        className="plain"
        tabIndex={-1}
        replace
      >
        <code className="b">{name}</code>
      </Link>
    ),
  },
  { id: "state", title: "State", width: "104px", cell: (row) => <State row={row} /> },
  { id: "slots", title: "Slots taken", width: "minmax(96px, 0.8fr)", cell: (row) => <Slots row={row} /> },
  { id: "runs", title: "Runs now", width: "minmax(160px, 2fr)", cell: (row) => <Runs row={row} /> },
  {
    id: "held",
    title: "Fetched",
    width: "64px",
    align: "right",
    cell: ({ state, reserved, scheduled }) =>
      state === "online" ? count(reserved.length + scheduled.length) : UNKNOWN,
  },
  {
    id: "rate",
    title: "Jobs/min",
    width: "64px",
    align: "right",
    cell: ({ figures }) => (figures === null ? UNKNOWN : figures.jobs_per_minute.toFixed(1)),
  },
  {
    id: "failed",
    title: "Failed",
    width: "112px",
    align: "right",
    cell: ({ figures }) => <Failed figures={figures} />,
  },
  {
    id: "restarts",
    title: "Starts, losses",
    width: "84px",
    align: "right",
    cell: ({ figures }) => <Starts figures={figures} />,
  },
  {
    id: "memory",
    title: "Memory",
    width: "68px",
    align: "right",
    cell: ({ figures }) => bytes(figures?.memory_bytes),
  },
  {
    id: "cpu",
    title: "CPU cores",
    width: "68px",
    align: "right",
    cell: ({ figures }) => (figures?.cpu_cores == null ? UNKNOWN : figures.cpu_cores.toFixed(2)),
  },
  {
    id: "slow",
    title: "Slow at",
    width: "minmax(90px, 1fr)",
    cell: ({ figures }) =>
      figures === null || figures.slow_types.length === 0 ? (
        <span className="dim">{UNKNOWN}</span>
      ) : (
        <span className="retrying cut">{figures.slow_types.join(", ")}</span>
      ),
  },
];

function State({ row: { state, stats } }: { row: WorkerLine }) {
  if (state === "stopped") return <span className="dim">stopped</span>;
  if (state === "lost")
    return (
      <span className="row failed b">
        <Icon name="lost" /> lost
      </span>
    );
  if (state === "silent")
    return (
      <span
        className={`row ${stats?.lease?.pool === "solo" ? "" : "failed b"}`}
        title="It renews its lease and does not answer at this broker."
      >
        <Icon name="alert" /> {stats?.lease?.pool === "solo" ? "busy" : "no answer"}
      </span>
    );
  return (
    <span className="row">
      <Icon name="check" /> online
    </span>
  );
}

/** The most slots that are drawn; more are numbers only. */
const DRAWN = 16;

function Slots({ row: { state, stats, running } }: { row: WorkerLine }) {
  const all = stats?.lease?.concurrency;
  if (state !== "online") return <span className="dim">{all === undefined ? UNKNOWN : `? of ${all}`}</span>;
  return (
    <span className="row">
      {all !== undefined && all <= DRAWN && (
        <span className="slots" aria-hidden="true">
          {Array.from({ length: all }, (_, slot) => (
            <i key={slot} className={slot < running.length ? "on" : ""} />
          ))}
        </span>
      )}
      <span className="nowrap">
        {running.length} of {all ?? UNKNOWN}
      </span>
    </span>
  );
}

function Runs({ row: { running } }: { row: WorkerLine }) {
  const [first, ...others] = running;
  if (first === undefined) return <span className="dim">nothing</span>;
  return (
    <span className="row">
      {first.job ? (
        <Link to="/jobs/$jobId" params={{ jobId: first.id }} className="cut">
          {first.job.name}
        </Link>
      ) : (
        <code className="cut">{first.task}</code>
      )}
      {others.length > 0 && <span className="dim nowrap">and {others.length} more</span>}
    </span>
  );
}

/** What failed of what completed or failed here, in the last hour. */
function Failed({ figures }: { figures: WorkerFigures | null }) {
  if (figures === null || figures.jobs === 0) return <span className="dim">{UNKNOWN}</span>;
  return (
    <span
      title={`${count(figures.failed)} of ${count(figures.jobs)} jobs failed; ${count(figures.lost)} of these were lost`}
    >
      {share(figures.failed / figures.jobs)} <span className="dim">of {count(figures.jobs)}</span>
    </span>
  );
}

function Starts({ figures }: { figures: WorkerFigures | null }) {
  if (figures === null) return <span className="dim">{UNKNOWN}</span>;
  return (
    <span title="Starts before its last one, and losses, within a day">
      {count(figures.restarts)},{" "}
      <span className={figures.times_lost > 0 ? "failed b" : ""}>{count(figures.times_lost)}</span>
    </span>
  );
}
