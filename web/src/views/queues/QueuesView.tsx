import type { QueueDepth, WorkerStats } from "@/api/types";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { queues, workers } from "@/api/queries";
import { CopyButton } from "@/components/CopyButton";
import { type Column, Grid } from "@/components/Grid";
import { Icon } from "@/components/Icon";
import { Answered, Empty } from "@/components/states";
import { jobsWith } from "@/filter/filter";
import { count, plural } from "@/format/format";
import { useLive } from "@/live/useLive";
import { View } from "@/shell/View";
import { consumptionOf, isUnconsumed } from "./consumption";
import { QueueDetail } from "./QueueDetail";
import { route } from "./route";
import "./queues.css";

/** The queues at the broker: what waits, and who consumes it. */
export function QueuesView() {
  const { queue: looked } = route.useSearch();
  const navigate = useNavigate();
  const report = useQuery(queues);
  const known = useQuery(workers).data ?? [];
  useLive([queues.queryKey, workers.queryKey], { on: "clock" });
  const waiting = report.data?.queues.reduce((sum, { messages }) => sum + messages, 0);
  const chosen = report.data?.queues.find(({ queue }) => queue === looked);

  return (
    <View
      title="Queues"
      sub={waiting !== undefined && `${plural(waiting, "message")} ${waiting === 1 ? "waits" : "wait"}`}
    >
      <Answered query={report}>
        {({ queues: found, unacknowledged, pending, some_left_out }) => {
          const most = Math.max(1, ...found.map(({ messages }) => messages));
          return (
            <>
              {found.filter(isUnconsumed).map((queue) => (
                <Unconsumed key={queue.queue} queue={queue} />
              ))}
              {found
                .filter(({ exists }) => !exists)
                .map(({ queue }) => (
                  <Missing key={queue} queue={queue} />
                ))}
              <section className="panel" aria-label="Queues">
                {found.length === 0 ? (
                  <Empty title="No queue is known yet.">
                    <p>A worker names those that it consumes when it starts:</p>
                    <Command text="celery -A your_app worker" />
                  </Empty>
                ) : (
                  <Grid
                    label="Queues"
                    className="fold queues"
                    columns={columnsOf(most, known)}
                    rows={found}
                    rowKey={({ queue }) => queue}
                    rowClass={({ queue }) => (queue === looked ? "sel" : "")}
                    onOpen={({ queue }) =>
                      void navigate({
                        to: "/queues",
                        search: { queue: queue === looked ? undefined : queue },
                        replace: true,
                      })
                    }
                  />
                )}
                <div className="pf wrap">
                  <span>
                    <Link to="/jobs" search={jobsWith({ status: "pending" })}>
                      {plural(pending, "job")}
                    </Link>{" "}
                    pending, also those that are not started.
                  </span>
                  <span>
                    {unacknowledged == null
                      ? "The broker does not say how many messages are unacknowledged."
                      : `Workers hold ${plural(unacknowledged, "unacknowledged message")}.`}
                  </span>
                  {some_left_out && (
                    <span className="failed">
                      Calls have named more queues than are remembered: messages may wait in others.
                    </span>
                  )}
                </div>
              </section>
              {chosen && <QueueDetail queue={chosen} workers={known} />}
            </>
          );
        }}
      </Answered>
    </View>
  );
}

/* A history of depth, the age of the oldest message and rates get their columns here, between Waiting and Drained. */
function columnsOf(most: number, known: readonly WorkerStats[]): readonly Column<QueueDepth>[] {
  return [
    {
      id: "queue",
      title: "Queue",
      width: "minmax(140px, 1fr)",
      cell: ({ queue }) => (
        <Link to="/queues" search={{ queue }} className="plain" tabIndex={-1} replace>
          <code className="b">{queue}</code>
        </Link>
      ),
    },
    {
      id: "bar",
      title: "Waiting, beside the others",
      width: "minmax(80px, 1.4fr)",
      cell: ({ messages }) => (
        <svg className="depth" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
          <rect width="100" height="6" className="track" />
          <rect width={(messages * 100) / most} height="6" className="fill" />
        </svg>
      ),
    },
    {
      id: "now",
      title: "Waiting now",
      width: "88px",
      align: "right",
      cell: ({ messages }) => <b>{count(messages)}</b>,
    },
    {
      id: "drained",
      title: "Drained",
      width: "72px",
      align: "right",
      cell: (queue) =>
        isUnconsumed(queue) ? (
          <span className="failed b">never</span>
        ) : (
          <span className="dim">{queue.messages === 0 ? "empty" : "in work"}</span>
        ),
    },
    {
      id: "slots",
      title: "Slots taken",
      width: "92px",
      align: "right",
      cell: (queue) => {
        const { slots, taken } = consumptionOf(queue, known);
        return slots === 0 ? <span className="dim">–</span> : `${taken} of ${slots}`;
      },
    },
    {
      id: "by",
      title: "Consumed by",
      width: "minmax(160px, 2fr)",
      cell: (queue) => <Consumers queue={queue} />,
    },
  ];
}

function Consumers({ queue }: { queue: QueueDepth }) {
  const { workers: names, others } = consumptionOf(queue, []);
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
      {others !== null && others > 0 && (
        <span className="dim">{plural(others, "consumer")} without a lease</span>
      )}
    </span>
  );
}

function Unconsumed({ queue: { queue, messages, consumer_count } }: { queue: QueueDepth }) {
  return (
    <div className="notice bad">
      <Icon name="alert" />
      <div>
        <b>
          Nobody consumes queue <code>{queue}</code>.
        </b>{" "}
        {plural(messages, "message")} {messages === 1 ? "waits" : "wait"}. This worker takes them as they are:{" "}
        <Command text={`celery -A your_app worker --queues ${queue}`} />
        {consumer_count == null && (
          <p className="ink-2">The broker does not count consumers: one that is not tracked may be there.</p>
        )}
      </div>
      <Link to="/queues" search={{ queue }} replace className="btn">
        What waits there
      </Link>
    </div>
  );
}

function Missing({ queue }: { queue: string }) {
  return (
    <div className="notice bad">
      <Icon name="alert" />
      <div>
        <b>
          The broker does not have queue <code>{queue}</code>.
        </b>{" "}
        It drops messages that are sent there. A worker declares the queue when it starts:{" "}
        <Command text={`celery -A your_app worker --queues ${queue}`} />
      </div>
    </div>
  );
}

function Command({ text }: { text: string }) {
  return (
    <span className="command">
      <code>{text}</code>
      <CopyButton text={text} label="Copy the command" iconOnly />
    </span>
  );
}
