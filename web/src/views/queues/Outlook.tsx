import type { QueueDepth, WorkerStats } from "@/api/types";
import { Link } from "@tanstack/react-router";
import { Facts, Panel } from "@/components/Panel";
import { Time, useNow } from "@/components/Time";
import { clock, duration, plural, UNKNOWN } from "@/format/format";
import { consumptionOf, isHeld, outlookOf, rate, waitedFor } from "./consumption";

/** When a queue is empty, and what that rests on. */
export function Outlook({ queue, workers }: { queue: QueueDepth; workers: readonly WorkerStats[] }) {
  const now = useNow();
  const outlook = outlookOf(queue, workers, now);
  const { slots, taken } = consumptionOf(queue, workers);
  const { sent_per_minute, started_per_minute, since } = queue.last_5_min;
  return (
    <Panel
      title={
        <>
          When <code>{queue.queue}</code> is empty
        </>
      }
      foot="An estimate: it assumes similar messages."
    >
      <div className="pb outlook">
        <p className="t-15 b">{headOf(outlook, now, isHeld(queue, workers, now))}</p>
        {["drains", "stands", "grows"].includes(outlook.kind) && (
          <p>
            Since {clock(since, now)}, {rate(sent_per_minute)} a minute came and workers began{" "}
            {rate(started_per_minute)} a minute
            {outlook.growth > 0.05 ? (
              <>
                : <b className="failed">it grows.</b>
              </>
            ) : outlook.netSeconds !== null ? (
              <>: at these rates it is empty in {duration(outlook.netSeconds)}.</>
            ) : outlook.growth < 0 ? (
              "."
            ) : (
              ": it stays as it is."
            )}
          </p>
        )}
        {outlook.kind === "never" && (
          <p>No worker consumes it. Messages stay until one does, or until they expire.</p>
        )}
      </div>
      <Facts
        facts={[
          ["Waiting now", plural(queue.messages, "message")],
          [
            "Oldest",
            queue.oldest_at == null ? (
              queue.oldest_is_known ? null : (
                "not known since when"
              )
            ) : (
              <>
                {queue.oldest_job_id == null ? (
                  waitedFor(queue.oldest_at, now)
                ) : (
                  <Link to="/jobs/$jobId" params={{ jobId: queue.oldest_job_id }}>
                    {waitedFor(queue.oldest_at, now)}
                  </Link>
                )}
                , since <Time at={queue.oldest_at} />
              </>
            ),
          ],
          ["Slots taken", slots === 0 ? UNKNOWN : `${taken} of ${slots}, by any task`],
          [
            "Last hour",
            `${rate(queue.last_hour.sent_per_minute)} a minute sent, ${rate(queue.last_hour.ended_per_minute)} ended`,
          ],
        ]}
      />
    </Panel>
  );
}

function headOf({ kind, inSeconds }: ReturnType<typeof outlookOf>, now: number, held: boolean): string {
  if (kind === "empty") return "It is empty now.";
  if (kind === "never") return "Never: nobody consumes it.";
  if (kind === "grows") return "Not at these rates: it grows.";
  if (held) return "Not emptying: long tasks have all slots, and none became free for a minute.";
  if (kind === "stands" || inSeconds === null)
    return "Not known: nothing was begun in the last five minutes.";
  return `In about ${duration(inSeconds)}, at ${clock(now + inSeconds * 1000, now)}, if no more come.`;
}
