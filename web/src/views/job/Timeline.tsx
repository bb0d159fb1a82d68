import type { HistoryEntry, Status } from "@/api/types";
import type { ReactNode } from "react";
import { Icon, StatusIcon } from "@/components/Icon";
import { duration, exactClock, fullTime } from "@/format/format";

type Step = HistoryEntry["step"];

/** How each step is told, and by which status's mark. */
const STEPS: Readonly<Record<Step, readonly [text: string, mark: Status | null]>> = {
  created: ["Created", null],
  queued: ["Sent to its queue", "pending"],
  not_sent: ["Could not be sent", "failed"],
  started: ["Began", "running"],
  retrying: ["Did not succeed, and is tried again", "retrying"],
  requeued: ["Went back to its queue", "pending"],
  replaced: ["Replaced itself by another task", "running"],
  relaunched: ["Sent as a new run", "pending"],
  sent_again: ["Sent again under the same id; both messages run", "pending"],
  updated: ["Changed", null],
  cancel_requested: ["Cancel requested", "cancelled"],
  started_again: ["Began again after its end", "running"],
  refused: ["Not begun", "cancelled"],
  ended_late: ["Ended late", null],
  corrected: ["The inferred outcome was corrected", null],
  reopened: ["Reopened", "pending"],
  completed: ["Completed", "completed"],
  failed: ["Failed", "failed"],
  cancelled: ["Cancelled", "cancelled"],
};

/** Executions whose outcome does not count. */
const DOES_NOT_COUNT: ReadonlySet<Step> = new Set(["started_again", "ended_late"]);

const ENDS: ReadonlySet<Step> = new Set(["completed", "failed", "cancelled"]);

/** A pause between two events that is longer is told as one. */
const PAUSE_MS = 60_000;

/** What happened to a job, oldest first. With several executions, the end that counts is marked. */
export function Timeline({
  entries,
  several,
  isParent,
}: {
  entries: readonly HistoryEntry[];
  several: boolean;
  /** It has sub-jobs: it has begun when the first of these has. */
  isParent: boolean;
}) {
  const last = entries.findLastIndex((entry) => ENDS.has(entry.step));
  return (
    <ol className="pb">
      {entries.flatMap((entry, index) => {
        const [text, mark] = STEPS[entry.step];
        const isOfSubJob = isParent && entry.step === "started" && entry.attempt == null;
        return [
          <Pause key={`pause ${index}`} before={entries[index - 1]} after={entry} />,
          <li className="ev" key={index}>
            <time dateTime={entry.at} title={fullTime(entry.at)}>
              {exactClock(entry.at)}
            </time>
            <span className="pt">{mark ? <StatusIcon status={mark} /> : <Icon name="more" size={12} />}</span>
            <div>
              <div className="h">
                {isOfSubJob ? "The first of its sub-jobs began" : text}
                {entry.worker && !isOfSubJob && (
                  <>
                    {" "}
                    on <code>{entry.worker}</code>
                  </>
                )}
                {several && index === last && (
                  <>
                    {" "}
                    <span className="badge solid">COUNTS</span>
                  </>
                )}
                {DOES_NOT_COUNT.has(entry.step) && (
                  <>
                    {" "}
                    <span className="badge back">DOES NOT COUNT</span>
                  </>
                )}
              </div>
              <div className="d">{details(entry)}</div>
            </div>
          </li>,
        ];
      })}
    </ol>
  );
}

/** What a job did in a long time between two events. */
function Pause({ before, after }: { before: HistoryEntry | undefined; after: HistoryEntry }) {
  const long = before && Date.parse(after.at) - Date.parse(before.at);
  if (before === undefined || long === undefined || long < PAUSE_MS) return null;
  return (
    <li className="ev gap">
      <span className="r">{duration(long / 1000)}</span>
      <span className="pt" />
      <div className="h">{before.step === "started" ? "It ran" : "It waited"}</div>
    </li>
  );
}

function details(entry: HistoryEntry): ReactNode {
  const parts = [
    entry.run != null && entry.run > 1 ? `run ${entry.run}` : null,
    entry.attempt != null && (entry.attempt > 0 || entry.step === "retrying")
      ? `attempt ${entry.attempt + 1}`
      : null,
    entry.outcome ?? null,
    entry.by ? `by ${entry.by}` : null,
    entry.reason ?? null,
    entry.not_before ? `the next one was due ${exactClock(entry.not_before)}` : null,
    entry.began_at ? `it had begun ${exactClock(entry.began_at)}` : null,
    entry.same_result == null ? null : entry.same_result ? "the same result" : "another result",
    entry.inferred ? "inferred: its worker did not report it" : null,
  ].filter((part) => part !== null);
  return (
    <>
      {parts.join(" · ")}
      {entry.result != null && (
        <>
          {" "}
          {parts.length > 0 && "· "}result <code>{entry.result}</code>
        </>
      )}
    </>
  );
}
