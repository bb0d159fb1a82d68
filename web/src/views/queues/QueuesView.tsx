import type { QueueDepth } from "@/api/types";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { queueSeries } from "@/api/fleet";
import { queues, workers } from "@/api/queries";
import { Choose } from "@/components/Choose";
import { CopyButton } from "@/components/CopyButton";
import { Grid } from "@/components/Grid";
import { Icon } from "@/components/Icon";
import { Answered, Empty } from "@/components/states";
import { useNow } from "@/components/Time";
import { jobsWith } from "@/filter/filter";
import { plural } from "@/format/format";
import { useLive } from "@/live/useLive";
import { View } from "@/shell/View";
import { columnsOf } from "./columns";
import { isUnconsumed, waitedFor } from "./consumption";
import { Outlook } from "./Outlook";
import { QueueCharts } from "./QueueCharts";
import { QueueDetail } from "./QueueDetail";
import { route } from "./route";
import "./queues.css";

/** The queues at the broker: what waits, and who consumes it. */
export function QueuesView() {
  const { queue: looked, window = "5m" } = route.useSearch();
  const navigate = useNavigate({ from: "/queues" });
  const report = useQuery(queues);
  const known = useQuery(workers).data ?? [];
  const series = useQuery(queueSeries(1)).data;
  useLive([queues.queryKey, workers.queryKey], { on: "clock" });
  useLive([queueSeries(1).queryKey], { on: "clock", beats: 6 });
  const waiting = report.data?.queues.reduce((sum, { messages }) => sum + messages, 0);
  const chosen = report.data?.queues.find(({ queue }) => queue === looked);

  return (
    <View
      title="Queues"
      actions={
        <Choose
          label="Figures of"
          name="window"
          value={window}
          options={[
            ["5m", "5 min"],
            ["1h", "1 hour"],
          ]}
        />
      }
      sub={waiting !== undefined && `${plural(waiting, "message")} ${waiting === 1 ? "waits" : "wait"}`}
    >
      <Answered query={report}>
        {({ queues: found, unacknowledged, pending, some_left_out }) => {
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
                    columns={columnsOf(window, series, known)}
                    rows={found}
                    rowKey={({ queue }) => queue}
                    rowClass={({ queue }) => (queue === looked ? "sel" : "")}
                    onOpen={({ queue }) =>
                      void navigate({
                        to: "/queues",
                        search: (old) => ({ ...old, queue: queue === looked ? undefined : queue }),
                        replace: true,
                        resetScroll: false,
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
                      There are more queues than the store remembers: messages may wait in others.
                    </span>
                  )}
                </div>
              </section>
              {chosen && (
                <div className="cols queue-cols">
                  <QueueCharts queue={chosen} />
                  <Outlook queue={chosen} workers={known} />
                </div>
              )}
              {chosen && <QueueDetail queue={chosen} workers={known} />}
            </>
          );
        }}
      </Answered>
    </View>
  );
}

function Unconsumed({ queue: { queue, messages, consumer_count, oldest_at } }: { queue: QueueDepth }) {
  const now = useNow();
  return (
    <div className="notice bad">
      <Icon name="alert" />
      <div>
        <b>
          Nobody consumes queue <code>{queue}</code>.
        </b>{" "}
        {plural(messages, "message")} {messages === 1 ? "waits" : "wait"}
        {oldest_at != null && `, the oldest for ${waitedFor(oldest_at, now)}`}. This command starts a worker
        for the queue: <Command text={`celery -A your_app worker --queues ${queue}`} />
        {consumer_count == null && (
          <p className="ink-2">The broker does not count consumers: one that is not tracked may be there.</p>
        )}
      </div>
      <Link from="/queues" to="/queues" search={(old) => ({ ...old, queue })} replace className="btn">
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
