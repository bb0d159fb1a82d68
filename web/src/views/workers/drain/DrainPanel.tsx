import type { Drain, WorkerFigures } from "@/api/fleet";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { drainOf, drainWorker, undoDrain, workerReport } from "@/api/fleet";
import { workers } from "@/api/queries";
import { useWrite } from "@/api/writes";
import { useMay } from "@/api/session";
import { useCommands } from "@/commands/commands";
import type { Column } from "@/components/Grid";
import { Icon, StatusIcon } from "@/components/Icon";
import { Facts, Panel } from "@/components/Panel";
import { Answered, ErrorNotice } from "@/components/states";
import { Table } from "@/components/Table";
import { Time, useNow } from "@/components/Time";
import { count, duration, inViewersZone, plural, UNKNOWN } from "@/format/format";
import { useWritesOff } from "@/live/connection";
import { useLive } from "@/live/useLive";
import { DrainDialog } from "./DrainDialog";
import { FATES, fatesOf, splitOf } from "./numbers";

type Held = Drain["tasks"][number];

/** So many waiting messages are named; all are counted. */
const MOST_NAMED = 12;

/** Whether a worker may be stopped: what it has, what becomes of that, and the way there. */
export function DrainPanel({ figures, all }: { figures: WorkerFigures; all: readonly WorkerFigures[] }) {
  const { name } = figures;
  const query = drainOf(name);
  const found = useQuery(query);
  useLive([query.queryKey], { on: "clock" });
  const [isAsking, setAsking] = useState(false);
  const writesOff = useWritesOff();
  const touched = () => [query.queryKey, workerReport.queryKey, workers.queryKey];
  const drain = useWrite(() => drainWorker(name), touched);
  const undo = useWrite(() => undoDrain(name), touched);
  const isBusy = drain.isPending || undo.isPending;
  const isDrained = found.data !== undefined && found.data.state !== "consuming";
  const mayDrain = useMay("jobs:control");
  const canDrain = mayDrain && found.data?.state === "consuming" && writesOff === null && !isBusy;
  useCommands(
    canDrain
      ? [
          {
            label: `Drain ${name}…`,
            run: () => {
              setAsking(true);
            },
          },
        ]
      : [],
  );
  return (
    <Panel
      title={
        <span className="row">
          {found.data?.state === "consuming" ? (
            <span>
              Is <code>{name}</code> safe to stop?
            </span>
          ) : (
            <>
              Drain of <code>{name}</code>
            </>
          )}
          {found.data && <StateBadge drain={found.data} />}
        </span>
      }
      sub={found.data?.summary}
      actions={
        mayDrain &&
        found.data && (
          <>
            {isDrained && (
              <button
                type="button"
                className="btn"
                disabled={isBusy || writesOff !== null}
                title={writesOff ?? undefined}
                onClick={() => {
                  undo.mutate(undefined);
                }}
              >
                {undo.isPending ? "Undoing…" : "Undo the drain"}
              </button>
            )}
            {!isDrained && (
              <button
                type="button"
                className="btn"
                disabled={!canDrain}
                title={writesOff ?? undefined}
                onClick={() => {
                  setAsking(true);
                }}
              >
                {drain.isPending ? "Draining…" : "Drain…"}
              </button>
            )}
          </>
        )
      }
    >
      {(drain.error ?? undo.error) && <ErrorNotice error={(drain.error ?? undo.error) as Error} />}
      <Answered query={found} rows={3}>
        {(data) => <Had drain={data} />}
      </Answered>
      {isAsking && found.data && (
        <DrainDialog
          drain={found.data}
          all={all}
          onDrain={() => {
            setAsking(false);
            drain.mutate(undefined);
          }}
          onClose={() => {
            setAsking(false);
          }}
        />
      )}
    </Panel>
  );
}

function StateBadge({ drain: { state, running } }: { drain: Drain }) {
  if (state === "safe")
    return (
      <span className="st completed chip">
        <Icon name="check" size={12} /> safe to stop
      </span>
    );
  if (state === "unknown")
    return (
      <span className="st failed chip">
        <Icon name="alert" size={12} /> not known
      </span>
    );
  if (state === "draining")
    return (
      <span className="st retrying chip">
        <Icon name="pause" size={12} /> draining
      </span>
    );
  return running === 0 ? null : <span className="badge back">not safe to stop now</span>;
}

/** What it has: rows of what runs, counts of what waits, and the figures beside them. */
function Had({ drain }: { drain: Drain }) {
  const { running, waiting } = splitOf(drain);
  const lost = fatesOf(drain.tasks, "if_killed").find(({ fate }) => fate === "lost")?.jobs ?? 0;
  return (
    <>
      {drain.unavailable.map((reason) => (
        <div key={reason} className="notice bad in-panel">
          <Icon name="alert" />
          <div>{reason}</div>
        </div>
      ))}
      <div className="worker-cols">
        <div className="worker-tasks">
          <Table
            label="Runs now"
            className="fold"
            columns={COLUMNS}
            rows={running}
            rowKey={({ id }) => id}
            empty={
              <p className="pb ink-2 t-12">
                {drain.running === null ? "What it runs can't be seen." : "It runs nothing."}
              </p>
            }
          />
          {waiting.length > 0 && <Waiting tasks={waiting} total={drain.waiting} />}
          {drain.tasks_left_out > 0 && (
            <p className="pb ink-2 t-12">{plural(drain.tasks_left_out, "further task")} not shown.</p>
          )}
        </div>
        <div className="worker-facts">
          <Facts
            facts={[
              [
                "Done by",
                drain.finish_at == null ? (
                  running.length === 0 ? null : (
                    "not known: too few jobs of a type have ended"
                  )
                ) : (
                  <>
                    <b>
                      about <Time at={drain.finish_at} />
                    </b>
                    , {running.length > 1 && "each "}with 95 % probability
                  </>
                ),
              ],
              [
                "If killed now",
                drain.tasks.length === 0 ? null : (
                  <span className={lost > 0 ? "failed b" : ""}>
                    {lost > 0 ? `${plural(lost, "job")} lost` : "nothing is lost"}
                    {fatesOf(drain.tasks, "if_killed")
                      .filter(({ fate }) => fate !== "lost")
                      .map(({ fate, jobs }) => `, ${count(jobs)} ${FATES[fate]}`)
                      .join("")}
                  </span>
                ),
              ],
              ["If stopped", drain.if_stopped],
              ["If killed", drain.if_killed],
              ["Fetched, not begun", drain.waiting === null ? UNKNOWN : count(drain.waiting)],
              [
                "Consumes",
                drain.queues === null
                  ? "not known: it does not answer"
                  : drain.queues.length > 0
                    ? drain.queues.join(", ")
                    : "nothing",
              ],
              [
                "Drained since",
                drain.drained_since == null ? null : (
                  <>
                    <Time at={drain.drained_since} />
                    {drain.queues_before.length > 0 && `. Undo restores: ${drain.queues_before.join(", ")}`}
                  </>
                ),
              ],
              ["Still to do", drain.state === "draining" ? drain.reasons.join(" ") : null],
            ]}
          />
        </div>
      </div>
    </>
  );
}

const COLUMNS: readonly Column<Held>[] = [
  {
    id: "job",
    title: "Runs now",
    width: "minmax(160px, 1fr)",
    cell: (task) => (
      <span className="row">
        <StatusIcon status="running" />
        <HeldName task={task} />
      </span>
    ),
  },
  { id: "for", title: "For", width: "64px", align: "right", cell: ({ since }) => <Since at={since} /> },
  { id: "left", title: "p95 left", width: "84px", align: "right", cell: (task) => <Left task={task} /> },
  {
    id: "fate",
    title: "If it were killed now",
    width: "minmax(150px, 250px)",
    cell: ({ if_killed, if_killed_text }) => (
      <span className={if_killed === "lost" ? "failed" : ""} title={if_killed_text}>
        {SHORT[if_killed]}
      </span>
    ),
  },
];

const SHORT: Readonly<Record<Held["if_killed"], string>> = {
  lost: "lost: its message is gone",
  runs_again: "runs again: on_lost",
  comes_back: "runs again: its message comes back",
  may_run: "runs, or goes back",
  finishes: "finishes",
  cancelled: "cancelled",
};

function HeldName({ task: { id, task, name, job_type } }: { task: Held }) {
  if (job_type === null) return <code className="cut">{task}</code>;
  return (
    <>
      <Link to="/jobs/$jobId" params={{ jobId: id }} className="cut">
        {name ?? task}
      </Link>
      {name !== job_type && <span className="dim cut">{job_type}</span>}
    </>
  );
}

function Since({ at }: { at: string | null | undefined }) {
  const now = useNow();
  return at == null ? UNKNOWN : duration(Math.max(0, now - Date.parse(at)) / 1000);
}

/** How long it still takes, with 95 %; by its progress if it reports that. */
function Left({ task: { finish } }: { task: Held }) {
  const now = useNow();
  if (finish == null) return <span className="dim">{UNKNOWN}</span>;
  const at = finish.late_at ?? finish.at;
  const left = (Date.parse(at) - now) / 1000;
  const basis =
    finish.by === "progress"
      ? "By its progress."
      : `By the run times of ${plural(finish.based_on, "job")} of its type.`;
  return <span title={basis}>{left > 0 ? duration(left) : <span className="retrying">late</span>}</span>;
}

function Waiting({ tasks, total }: { tasks: readonly Held[]; total: number | null }) {
  const fates = fatesOf(tasks, "if_stopped");
  const now = useNow();
  return (
    <details className="waiting">
      <summary>
        {plural(total ?? tasks.length, "message")} fetched, not begun. If it is stopped:{" "}
        {fates.map(({ fate, jobs }) => `${count(jobs)} ${FATES[fate]}`).join("; ")}
      </summary>
      <ul className="pb tasks">
        {tasks.slice(0, MOST_NAMED).map((task) => (
          <li key={task.id} className="row wrap">
            <HeldName task={task} />
            <span className="ink-2">
              {task.not_before == null ? (
                task.where.replace("_", " ")
              ) : (
                <>
                  not before <Time at={task.not_before} />
                </>
              )}
              {". "}
              {inViewersZone(task.if_killed_text, now)}
            </span>
          </li>
        ))}
        {tasks.length > MOST_NAMED && <li className="ink-2">and {count(tasks.length - MOST_NAMED)} more</li>}
      </ul>
    </details>
  );
}
