import type { WorkerFigures } from "@/api/fleet";
import { Link } from "@tanstack/react-router";
import type { Column } from "@/components/Grid";
import { Icon } from "@/components/Icon";
import { Facts, Panel } from "@/components/Panel";
import { Table } from "@/components/Table";
import { Time, useNow } from "@/components/Time";
import { bytes, duration, plural, UNKNOWN } from "@/format/format";
import type { WorkerLine } from "./columns";
import type { HeldTask } from "./workerRows";

/** From this on, a worker's clock makes times of jobs wrong enough to say so. */
const AHEAD_MS = 1000;

/**
 * One worker: how it was started, and which tasks it knows.
 *
 * @param hasTasks What it runs and holds too: of one that can't be drained nothing else shows them.
 */
export function WorkerDetail({ row, hasTasks }: { row: WorkerLine; hasTasks: boolean }) {
  const { name, state, stats, running, reserved, scheduled, figures } = row;
  const lease = stats?.lease;
  return (
    <Panel
      title={
        <>
          About <code>{name}</code>
        </>
      }
      sub={sentenceOf(row)}
    >
      <div className={hasTasks ? "worker-cols" : ""}>
        {hasTasks && (
          <div className="worker-tasks">
            <Tasks
              title={state === "online" ? "Runs now" : "Ran when it was last heard of"}
              rows={running}
              time="Since"
              showsAge
              empty={state === "online" ? "It runs nothing." : "No job that runs names it."}
            />
            {reserved.length > 0 && <Tasks title="Fetched, not begun" rows={reserved} time="" />}
            {scheduled.length > 0 && (
              <Tasks title="Held until their time" rows={scheduled} time="Not before" />
            )}
          </div>
        )}
        <div className={hasTasks ? "worker-facts" : "worker-facts is-alone"}>
          <Facts
            facts={[
              [
                "Lease",
                lease ? (
                  <>
                    renewed, since <Time at={lease.started_at_ms} />
                  </>
                ) : state === "lost" ? (
                  <>
                    ran out
                    {figures?.ended_at != null && (
                      <>
                        {" at "}
                        <Time at={figures.ended_at} />
                      </>
                    )}
                  </>
                ) : state === "stopped" ? (
                  <>
                    given back at <Time at={figures?.ended_at} />
                  </>
                ) : (
                  "none: it is not tracked"
                ),
              ],
              ["Host", (lease?.host ?? figures?.host) && <code>{lease?.host ?? figures?.host}</code>],
              ["Process", lease?.pid ?? figures?.pid],
              ["Pool", poolOf(lease ?? figures)],
              ["Queues", queuesOf(row)],
              ["Prefetch", numberOf(stats?.stats?.prefetch_count)],
              ["Release", lease?.release ?? figures?.release],
              ["jobtracker", lease?.version],
              ["Clock", lease && <Clock aheadMs={lease.clock_ahead_ms} />],
              ["Memory", memoryOf(stats?.stats, figures)],
              ["CPU", figures?.cpu_cores != null && `${figures.cpu_cores.toFixed(2)} cores`],
              ["Within a day", figures && startsOf(figures)],
              ["Reports its messages", lease && (lease.tells_holds ? "yes" : "no: an older release")],
            ]}
          />
          {(stats?.registered.length ?? 0) > 0 && (
            <details className="chart-table">
              <summary>{plural(stats?.registered.length ?? 0, "registered task")}</summary>
              <ul className="pb tasks">
                {stats?.registered.map((task) => (
                  <li key={task}>
                    <code>{task}</code>
                  </li>
                ))}
              </ul>
            </details>
          )}
        </div>
      </div>
    </Panel>
  );
}

function poolOf(of: { pool?: string | null; concurrency?: number | null } | null | undefined): string | null {
  return of?.pool == null ? null : `${of.pool}, ${plural(of.concurrency ?? 0, "slot")}`;
}

function startsOf({ restarts, times_lost }: WorkerFigures): string {
  return `started ${plural(restarts + 1, "time")}, lost ${plural(times_lost, "time")}`;
}

function queuesOf({ stats, figures }: WorkerLine) {
  const names = stats?.queues.length ? stats.queues : (figures?.queues ?? stats?.lease?.queues ?? []);
  if (names.length === 0) return null;
  return (
    <span className="row wrap">
      {names.map((queue) => (
        <Link key={queue} to="/queues" search={{ queue }}>
          {queue}
        </Link>
      ))}
    </span>
  );
}

function sentenceOf({ state, stats, running, reserved }: WorkerLine): string {
  if (state === "stopped") return "it gave its lease back: it was stopped";
  if (state === "lost") return "its lease ran out";
  if (state === "silent")
    return stats?.lease?.pool === "solo"
      ? "a solo worker does not answer while it runs a task; its lease says that it lives"
      : "renews its lease and does not answer: does it have this API's broker? If it does, it hangs: restart it";
  return `runs ${plural(running.length, "task")}, has fetched ${reserved.length} more`;
}

function Tasks({
  title,
  rows,
  time,
  showsAge = false,
  empty,
}: {
  title: string;
  rows: readonly HeldTask[];
  time: string;
  showsAge?: boolean;
  empty?: string;
}) {
  const columns: Column<HeldTask>[] = [
    { id: "job", title, width: "minmax(160px, 1fr)", cell: (task) => <TaskName task={task} /> },
    ...(time === ""
      ? []
      : [
          {
            id: "at",
            title: time,
            width: "96px",
            align: "right" as const,
            cell: ({ at }: HeldTask) => <Time at={at} />,
          },
        ]),
    ...(showsAge
      ? [
          {
            id: "for",
            title: "For",
            width: "72px",
            align: "right" as const,
            cell: ({ at }: HeldTask) => <Age at={at} />,
          },
        ]
      : []),
  ];
  return (
    <Table
      label={title}
      className="fold"
      columns={columns}
      rows={rows}
      rowKey={({ id }) => id}
      empty={<p className="pb ink-2 t-12">{empty}</p>}
    />
  );
}

function TaskName({ task: { id, task, job } }: { task: HeldTask }) {
  if (id === "") return <code>{task}</code>;
  return (
    <span className="row">
      <Link to="/jobs/$jobId" params={{ jobId: id }} className="cut">
        {job?.name ?? task}
      </Link>
      <span className="dim cut">{job?.job_type ?? ""}</span>
    </span>
  );
}

function Age({ at }: { at: string | number | null }) {
  const now = useNow();
  return at === null ? UNKNOWN : duration(Math.max(0, now - Number(new Date(at))) / 1000);
}

function Clock({ aheadMs }: { aheadMs: number }) {
  const far = Math.abs(aheadMs) >= AHEAD_MS;
  const text = `${duration(Math.abs(aheadMs) / 1000)} ${aheadMs < 0 ? "behind" : "ahead of"} the store's`;
  if (!far) return aheadMs === 0 ? "as the store's" : text;
  return (
    <span className="row failed b">
      <Icon name="alert" size={12} /> {text}: times of its jobs are wrong; synchronise it
    </span>
  );
}

function numberOf(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}

/** What it and its processes use now; or the most that its main process had (kilobytes on Linux). */
function memoryOf(
  stats: Readonly<Record<string, unknown>> | null | undefined,
  figures: WorkerFigures | null,
): string | null {
  if (figures?.memory_bytes != null)
    return `${bytes(figures.memory_bytes)} in ${plural(figures.processes ?? 1, "process", "processes")}`;
  const usage = stats?.rusage;
  const most =
    typeof usage === "object" && usage !== null && "maxrss" in usage ? numberOf(usage.maxrss) : null;
  return most === null ? null : `${bytes(most * 1024)} at most, main process`;
}
