import type { QueueDepth, WorkerStats } from "@/api/types";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { jobTypes, performance, statsByType } from "@/api/queries";
import type { Column } from "@/components/Grid";
import { Panel } from "@/components/Panel";
import { Answered } from "@/components/states";
import { Table } from "@/components/Table";
import { jobsWith } from "@/filter/filter";
import { count, duration } from "@/format/format";
import { useLive } from "@/live/useLive";
import { typesOf, type WaitingType } from "./consumption";

/** A queue: what is sent there, and who works on it. */
export function QueueDetail({ queue, workers }: { queue: QueueDepth; workers: readonly WorkerStats[] }) {
  const types = useQuery(jobTypes);
  const stats = useQuery(statsByType).data ?? {};
  const figures = useQuery(performance(24)).data?.by_type ?? {};
  useLive([statsByType.queryKey]);
  // Celery's default queue is not announced: the one that a worker consumes although no type names it.
  const named = new Set(types.data?.map((type) => type.queue));
  const defaults = new Set(workers.flatMap(({ queues }) => queues).filter((name) => !named.has(name)));
  const columns: readonly Column<WaitingType>[] = [
    {
      id: "type",
      title: "Type",
      width: "minmax(140px, 2fr)",
      cell: ({ name }) => (
        <Link to="/types/$name" params={{ name }}>
          {name}
        </Link>
      ),
    },
    {
      id: "pending",
      title: "Pending jobs",
      width: "minmax(80px, 1fr)",
      align: "right",
      cell: ({ name, pending }) => (
        <Link to="/jobs" search={jobsWith({ status: "pending", type: name })}>
          {count(pending)}
        </Link>
      ),
    },
    {
      id: "run",
      title: "Run time p50, 24h",
      width: "minmax(100px, 1fr)",
      align: "right",
      cell: ({ name }) => duration(figures[name]?.run.p50_s),
    },
    {
      id: "wait",
      title: "Wait p95, 24h",
      width: "minmax(90px, 1fr)",
      align: "right",
      cell: ({ name }) => duration(figures[name]?.wait.p95_s),
    },
  ];
  return (
    <Panel
      title={
        <>
          What is sent to <code>{queue.queue}</code>
        </>
      }
      sub={`${count(queue.messages)} ${queue.messages === 1 ? "message waits" : "messages wait"}`}
      foot={
        <span>
          Pending jobs are counted by type, also those that are not started. A call may send a job of another
          type here:{" "}
          <Link to="/jobs" search={jobsWith({ status: "pending", queue: queue.queue, wait: ">=0s" })}>
            jobs that were sent here and wait
          </Link>
          .
        </span>
      }
    >
      <Answered query={types}>
        {(all) => (
          <Table
            label={`Types that are sent to ${queue.queue}`}
            className="fold"
            columns={columns}
            rows={typesOf(queue.queue, defaults, all, stats)}
            rowKey={({ name }) => name}
            empty={
              <p className="pb ink-2 t-12">
                No type that a worker announces now is sent here. Only calls that name the queue send to it:
                look at{" "}
                <Link to="/jobs" search={jobsWith({ status: "pending" })}>
                  all pending jobs
                </Link>
                .
              </p>
            }
          />
        )}
      </Answered>
    </Panel>
  );
}
