import type { QueueDepth, Schemas, WorkerStats } from "@/api/types";
import { Link } from "@tanstack/react-router";
import { type Scale, durationScale, linePath } from "@/components/charts/scale";
import type { Column } from "@/components/Grid";
import { useNow } from "@/components/Time";
import { count, duration, plural, UNKNOWN } from "@/format/format";
import {
  consumptionOf,
  isHeld,
  isUnconsumed,
  LONG_WAIT_S,
  outlookOf,
  rate,
  waitedFor,
  waitedSeconds,
} from "./consumption";

const SPARK_PX = 22;

/** The columns of the list of queues; figures of the last five minutes, or of the last hour. */
export function columnsOf(
  window: "5m" | "1h",
  series: Schemas["QueueSeries"] | undefined,
  known: readonly WorkerStats[],
): readonly Column<QueueDepth>[] {
  const of = (queue: QueueDepth) => (window === "5m" ? queue.last_5_min : queue.last_hour);
  // One scale for all rows, so that they can be compared.
  const scale = durationScale(Object.values(series?.by_queue ?? {}).map(({ wait_p95_s }) => wait_p95_s));
  const right = { align: "right" as const };
  return [
    {
      id: "queue",
      title: "Queue",
      width: "minmax(90px, 0.6fr)",
      cell: ({ queue }) => (
        <Link
          from="/queues"
          to="/queues"
          search={(old) => ({ ...old, queue })}
          className="plain"
          tabIndex={-1}
          replace
        >
          <code className="b">{queue}</code>
        </Link>
      ),
    },
    {
      id: "spark",
      title: "Wait p95, last hour",
      width: "minmax(90px, 0.8fr)",
      cell: ({ queue }) => <Spark values={series?.by_queue[queue]?.wait_p95_s} scale={scale} />,
    },
    {
      ...{ id: "now", title: "Waiting now", width: "84px", ...right },
      cell: ({ messages }) => <b>{count(messages)}</b>,
    },
    {
      ...{ id: "oldest", title: "Oldest", width: "64px", ...right },
      cell: (queue) => <Oldest queue={queue} />,
    },
    {
      ...{ id: "p50", title: "Wait p50", width: "68px", ...right },
      cell: (queue) => duration(of(queue).wait_p50_s),
    },
    {
      ...{ id: "p95", title: "Wait p95", width: "68px", ...right },
      cell: (queue) => duration(of(queue).wait_p95_s),
    },
    {
      ...{ id: "in", title: "In/min", width: "64px", ...right },
      cell: (queue) => rate(of(queue).sent_per_minute),
    },
    {
      ...{ id: "out", title: "Out/min", width: "68px", ...right },
      cell: (queue) => {
        const { started_per_minute } = of(queue);
        const stands = queue.messages > 0 && started_per_minute === 0;
        return <span className={stands ? "failed b" : ""}>{rate(started_per_minute)}</span>;
      },
    },
    {
      ...{ id: "ended", title: "Ended/min", width: "80px", ...right },
      cell: (queue) => rate(of(queue).ended_per_minute),
    },
    {
      ...{ id: "drained", title: "Empty in", width: "72px", ...right },
      cell: (queue) => <Drained queue={queue} known={known} />,
    },
    {
      id: "by",
      title: "Consumed by",
      width: "minmax(230px, 1.6fr)",
      cell: (queue) => <Consumers queue={queue} known={known} />,
    },
  ];
}

/** A point without neighbours, of the chart's 1000: as wide as one of the hour's twelve points. */
const LONE_POINT = 80;

function Spark({ values, scale }: { values: readonly (number | null)[] | undefined; scale: Scale | null }) {
  if (values === undefined || scale === null || values.every((each) => each === null))
    return <span className="dim">{UNKNOWN}</span>;
  const last = values.findLast((each) => each !== null);
  return (
    <svg
      className="spark"
      viewBox={`0 0 1000 ${SPARK_PX}`}
      height={SPARK_PX}
      preserveAspectRatio="none"
      role="img"
      aria-label={`Wait p95 over the last hour, of late ${duration(last)}`}
    >
      <path className="ln" d={linePath(values, scale, SPARK_PX, LONE_POINT)} />
    </svg>
  );
}

function Oldest({ queue }: { queue: QueueDepth }) {
  const now = useNow();
  const seconds = waitedSeconds(queue, now);
  if (seconds === null)
    return (
      <span className="dim" title={queue.oldest_is_known ? "Nothing waits." : "It is not known since when."}>
        {UNKNOWN}
      </span>
    );
  const text = waitedFor(queue.oldest_at ?? now, now);
  const style = seconds > LONG_WAIT_S || isUnconsumed(queue) ? "failed b" : "";
  if (queue.oldest_job_id == null) return <span className={style}>{text}</span>;
  return (
    <Link
      to="/jobs/$jobId"
      params={{ jobId: queue.oldest_job_id }}
      className={style}
      title="The job that waits longest"
    >
      {text}
    </Link>
  );
}

function Drained({ queue, known }: { queue: QueueDepth; known: readonly WorkerStats[] }) {
  const now = useNow();
  const { kind, inSeconds } = outlookOf(queue, known, now);
  if (isUnconsumed(queue)) return <span className="failed b">never</span>;
  if (queue.messages === 0) return <span className="dim">empty</span>;
  if (kind === "grows") return <span className="failed b">grows</span>;
  if (isHeld(queue, known, now))
    return (
      <span className="failed b" title="Long tasks have all slots: not emptying for a minute or longer.">
        stands
      </span>
    );
  if (inSeconds === null)
    return (
      <span className="dim" title="Nothing was begun in the last five minutes.">
        {UNKNOWN}
      </span>
    );
  return <b>{duration(inSeconds)}</b>;
}

function Consumers({ queue, known }: { queue: QueueDepth; known: readonly WorkerStats[] }) {
  const { workers: names, others, slots, taken } = consumptionOf(queue, known);
  if (!queue.exists) return <span className="failed b">the broker does not have it</span>;
  if (names.length === 0 && !others)
    return <span className={queue.messages > 0 ? "failed b" : "dim"}>nobody</span>;
  return (
    <span className="row consumers">
      {names.map((name) => (
        <Link key={name} to="/workers" search={{ worker: name }}>
          {name}
        </Link>
      ))}
      {slots > 0 && (
        <span className="dim nowrap">
          {taken} of {plural(slots, "slot")}
        </span>
      )}
      {others !== null && others > 0 && (
        <span className="dim">{plural(others, "consumer")} without a lease</span>
      )}
    </span>
  );
}
