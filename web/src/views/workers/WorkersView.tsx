import type { WorkerStats } from "@/api/types";
import { useQuery } from "@tanstack/react-query";
import { workers } from "@/api/queries";
import type { Column } from "@/components/Grid";
import { Icon } from "@/components/Icon";
import { Panel } from "@/components/Panel";
import { Answered, Empty } from "@/components/states";
import { Table } from "@/components/Table";
import { Time } from "@/components/Time";
import { plural, UNKNOWN } from "@/format/format";
import { useLive } from "@/live/useLive";
import { View } from "@/shell/View";

const COLUMNS: readonly Column<WorkerStats>[] = [
  { id: "name", title: "Worker", width: "minmax(140px, 1fr)", cell: ({ name }) => <code>{name}</code> },
  { id: "slots", title: "Slots", width: "minmax(120px, 1fr)", cell: (worker) => <Slots worker={worker} /> },
  {
    id: "queues",
    title: "Queues",
    width: "minmax(120px, 1fr)",
    cell: ({ queues, lease }) => (queues.length ? queues : (lease?.queues ?? [])).join(", "),
  },
  { id: "pool", title: "Pool", width: "72px", cell: ({ lease }) => lease?.pool ?? UNKNOWN },
  { id: "release", title: "Release", width: "96px", cell: ({ lease }) => lease?.release ?? UNKNOWN },
  {
    id: "since",
    title: "Since",
    width: "96px",
    align: "right",
    cell: ({ lease }) => <Time at={lease?.started_at_ms} />,
  },
];

/** The workers: whether they answer, and how many of their slots are taken. */
export function WorkersView() {
  const found = useQuery(workers);
  useLive([workers.queryKey], { on: "clock" });
  return (
    <View title="Workers">
      <Panel title="Workers" sub={found.data && plural(found.data.length, "worker")}>
        <Answered query={found}>
          {(rows) => (
            <Table
              label="Workers"
              columns={COLUMNS}
              rows={rows}
              rowKey={({ name, lease }) => lease?.incarnation ?? name}
              empty={
                <Empty title="No worker is known.">
                  <p>
                    Start one: <code>celery -A your_app worker</code>. It shows up within {5} s.
                  </p>
                </Empty>
              }
            />
          )}
        </Answered>
      </Panel>
    </View>
  );
}

/** The most slots that are drawn; more are numbers only. */
const DRAWN = 24;

function Slots({ worker: { online, lease, active } }: { worker: WorkerStats }) {
  if (!online) {
    return (
      <span className="row failed">
        <Icon name="lost" /> does not answer
      </span>
    );
  }
  const taken = active.length;
  const all = lease?.concurrency;
  return (
    <span className="row">
      {all !== undefined && all <= DRAWN && (
        <span className="slots" aria-hidden="true">
          {Array.from({ length: all }, (_, slot) => (
            <i key={slot} className={slot < taken ? "on" : ""} />
          ))}
        </span>
      )}
      {taken} of {all ?? UNKNOWN}
    </span>
  );
}
