import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { queues, workers } from "@/api/queries";
import type { QueueDepth, WorkerStats } from "@/api/types";
import type { Column } from "@/components/Grid";
import { Icon } from "@/components/Icon";
import { Panel } from "@/components/Panel";
import { Answered, Empty } from "@/components/states";
import { Table } from "@/components/Table";
import { count, plural, UNKNOWN } from "@/format/format";
import { useLive } from "@/live/useLive";

/** So many rows stand here: those that matter most. Their views have all. */
const MOST = 8;
const DRAWN_SLOTS = 12;

const isUnconsumed = ({ messages, consumers, consumer_count }: QueueDepth) =>
  messages > 0 && consumers.length === 0 && (consumer_count ?? 0) === 0;

const QUEUE_COLUMNS: readonly Column<QueueDepth & { share: number }>[] = [
  {
    id: "queue",
    title: "Queue",
    width: "minmax(90px, 1fr)",
    cell: ({ queue }) => (
      <Link to="/queues" search={{ queue }} className="mono plain m">
        {queue}
      </Link>
    ),
  },
  {
    id: "bar",
    title: "Waiting",
    width: "minmax(44px, 1fr)",
    cell: ({ share, messages }) => (
      <meter className="backlog" min={0} max={1} value={share} aria-label={`${messages} wait`} />
    ),
  },
  { id: "now", title: "Now", width: "48px", align: "right", cell: ({ messages }) => count(messages) },
  {
    id: "by",
    title: "Consumers",
    width: "68px",
    align: "right",
    cell: (queue) =>
      isUnconsumed(queue) ? (
        <span className="failed b">none</span>
      ) : (
        count(Math.max(queue.consumers.length, queue.consumer_count ?? 0))
      ),
  },
];

/** The queues with the most messages; those that nobody consumes first. */
export function QueuesPanel() {
  const report = useQuery(queues);
  useLive([queues.queryKey], { on: "clock" });
  const found = report.data?.queues ?? [];
  const waiting = found.reduce((sum, { messages }) => sum + messages, 0);
  const most = Math.max(1, ...found.map(({ messages }) => messages));
  const rows = found
    .map((queue) => ({ ...queue, share: queue.messages / most }))
    .sort((a, b) => Number(isUnconsumed(b)) - Number(isUnconsumed(a)) || b.messages - a.messages);
  return (
    <Panel
      title="Queues"
      sub={report.data && `${plural(waiting, "message")} ${waiting === 1 ? "waits" : "wait"} now`}
      foot={rows.length > MOST && <Link to="/queues">All {count(rows.length)} queues</Link>}
    >
      <Answered query={report}>
        {() => (
          <Table
            label="Queues"
            className="fit"
            columns={QUEUE_COLUMNS}
            rows={rows.slice(0, MOST)}
            rowKey={({ queue }) => queue}
            empty={<Empty title="No queue is known yet." />}
          />
        )}
      </Answered>
    </Panel>
  );
}

const WORKER_COLUMNS: readonly Column<WorkerStats>[] = [
  {
    id: "worker",
    title: "Worker",
    width: "minmax(90px, 1fr)",
    cell: ({ name }) => (
      <Link to="/workers" search={{ worker: name }} className="mono plain m">
        {name}
      </Link>
    ),
  },
  { id: "slots", title: "Slots", width: "minmax(44px, 1fr)", cell: (worker) => <Slots worker={worker} /> },
  {
    id: "taken",
    title: "Taken",
    width: "48px",
    align: "right",
    cell: ({ active, lease, online }) =>
      online ? `${active.length}/${lease?.concurrency ?? UNKNOWN}` : UNKNOWN,
  },
  {
    id: "release",
    title: "Release",
    width: "68px",
    align: "right",
    cell: ({ lease }) => lease?.release || UNKNOWN,
  },
];

function Slots({ worker: { online, active, lease } }: { worker: WorkerStats }) {
  if (!online)
    return (
      <span className="row failed">
        <Icon name="lost" size={12} /> does not answer
      </span>
    );
  const slots = Math.min(lease?.concurrency ?? 0, DRAWN_SLOTS);
  return (
    <span className="slots" aria-hidden="true">
      {Array.from({ length: slots }, (_, slot) => (
        <i key={slot} className={slot < active.length ? "on" : ""} />
      ))}
    </span>
  );
}

/** The workers; those that do not answer first. */
export function WorkersPanel() {
  const found = useQuery(workers);
  useLive([workers.queryKey], { on: "clock" });
  const rows = [...(found.data ?? [])].sort(
    (a, b) => Number(a.online) - Number(b.online) || a.name.localeCompare(b.name),
  );
  const online = rows.filter((worker) => worker.online);
  const slots = online.reduce((sum, { lease }) => sum + (lease?.concurrency ?? 0), 0);
  const taken = online.reduce((sum, { active }) => sum + active.length, 0);
  return (
    <Panel
      title="Workers"
      sub={found.data && `${count(taken)} of ${plural(slots, "slot")} taken now`}
      foot={rows.length > MOST && <Link to="/workers">All {count(rows.length)} workers</Link>}
    >
      <Answered query={found}>
        {() => (
          <Table
            label="Workers"
            className="fit"
            columns={WORKER_COLUMNS}
            rows={rows.slice(0, MOST)}
            rowKey={({ name, lease }) => lease?.incarnation ?? name}
            empty={
              <Empty title="No worker is known.">
                <p>
                  Start one: <code>celery -A your_app worker</code>.
                </p>
              </Empty>
            }
          />
        )}
      </Answered>
    </Panel>
  );
}
