import type { QueueDepth } from "@/api/types";
import { useQuery } from "@tanstack/react-query";
import { queues } from "@/api/queries";
import type { Column } from "@/components/Grid";
import { Panel } from "@/components/Panel";
import { Answered, Empty } from "@/components/states";
import { Table } from "@/components/Table";
import { count, plural } from "@/format/format";
import { useLive } from "@/live/useLive";
import { View } from "@/shell/View";

const COLUMNS: readonly Column<QueueDepth>[] = [
  {
    id: "queue",
    title: "Queue",
    width: "minmax(140px, 1fr)",
    cell: ({ queue }) => <code className="b">{queue}</code>,
  },
  {
    id: "now",
    title: "Waiting now",
    width: "96px",
    align: "right",
    cell: ({ messages }) => count(messages),
  },
  {
    id: "by",
    title: "Consumed by",
    width: "minmax(160px, 2fr)",
    cell: (queue) => <Consumers queue={queue} />,
  },
];

/** The queues at the broker: what waits, and who consumes it. */
export function QueuesView() {
  const report = useQuery(queues);
  useLive([queues.queryKey], { on: "clock" });
  const waiting = report.data?.queues.reduce((sum, { messages }) => sum + messages, 0);
  return (
    <View title="Queues" sub={waiting !== undefined && `${plural(waiting, "message")} wait`}>
      <Panel title="Queues" sub={report.data && plural(report.data.queues.length, "queue")}>
        <Answered query={report}>
          {({ queues: found }) => (
            <Table
              label="Queues"
              columns={COLUMNS}
              rows={found}
              rowKey={({ queue }) => queue}
              empty={
                <Empty title="No queue is known yet.">
                  <p>A worker announces those that it consumes when it starts.</p>
                </Empty>
              }
            />
          )}
        </Answered>
      </Panel>
    </View>
  );
}

function Consumers({ queue: { consumers, consumer_count, exists, messages } }: { queue: QueueDepth }) {
  if (!exists) return <span className="failed b">the broker does not have it</span>;
  if (consumers.length > 0) return <span>{consumers.join(", ")}</span>;
  if ((consumer_count ?? 0) > 0)
    return <span className="dim">{plural(consumer_count ?? 0, "consumer")} without a name</span>;
  return <span className={messages > 0 ? "failed b" : "dim"}>nobody</span>;
}
