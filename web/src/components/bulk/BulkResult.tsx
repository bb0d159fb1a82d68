import { Link } from "@tanstack/react-router";
import { Dialog } from "@/components/Dialog";
import { Icon } from "@/components/Icon";
import { count, plural, shortId } from "@/format/format";
import { useWritesOff } from "@/live/connection";
import { groupsOf, WORDS } from "./bulk";
import { CloseButton } from "./BulkDialog";
import { type BulkRun, isOver, type Outcome, startRun, stopRun } from "./bulkRun";
import { csvOf } from "./csv";
import "./bulk.css";

/** Of each reason so many jobs are named; the CSV has all. */
const NAMED = 10;

/** Steps two and three: how far it is, and what became of each job. */
export function BulkResult({ run, onClose }: { run: BulkRun; onClose: () => void }) {
  const off = useWritesOff();
  const words = WORDS[run.verb];
  const over = isOver(run);
  const done = run.outcomes.filter(({ kind }) => kind === "done").length;
  const failed = run.outcomes.filter(({ kind }) => kind !== "done");
  const seen = new Set(run.outcomes.map(({ job }) => job.id));
  const left = run.jobs.filter(({ id }) => !seen.has(id));
  const again = [...failed.filter(({ kind }) => kind === "unanswered").map(({ job }) => job), ...left];
  const title = over
    ? `${count(done)} of ${plural(run.jobs.length, "job")} ${words.done}`
    : `${words.doing} ${plural(run.jobs.length, "job")}`;

  return (
    <Dialog
      title={title}
      className="bulk-dialog"
      onClose={onClose}
      footer={
        <>
          {over ? (
            <button
              type="button"
              className="btn ghost"
              onClick={() => {
                save(run);
              }}
            >
              <Icon name="download" /> CSV
            </button>
          ) : (
            <span className="ink-3 t-12 hide-s">It goes on when this is closed.</span>
          )}
          <span className="push" />
          {!over && (
            <button type="button" className="btn" disabled={run.state === "stopping"} onClick={stopRun}>
              {run.state === "stopping" ? "Stopping…" : "Stop"}
            </button>
          )}
          {over && again.length > 0 && (
            <button
              type="button"
              className="btn"
              disabled={off !== null}
              title={off ?? undefined}
              onClick={() => {
                startRun(run.verb, again, run.options);
              }}
            >
              Try {count(again.length)} again
            </button>
          )}
          <CloseButton onClose={onClose} when={over} />
        </>
      }
    >
      <section>
        <progress
          className="bulk-progress"
          max={run.jobs.length}
          value={run.outcomes.length}
          aria-label={`${words.doing}: ${run.outcomes.length} of ${run.jobs.length}`}
        />
        {run.trouble && (
          <p className="t-12 failed" role="alert">
            {run.trouble}
          </p>
        )}
        <ul className="sums" aria-live="polite">
          <li className="sum">
            <b>{count(done)}</b>
            <Icon name="check" />
            <span>{words.done}</span>
          </li>
          {reasonsOf(failed).map(({ kind, why, jobs }) => (
            <li className="sum" key={`${kind} ${why}`}>
              <b>{count(jobs.length)}</b>
              <Icon name="alert" />
              <span>
                {kind === "refused" ? "not done" : "no answer"}: {why}
                <span className="bulk-named t-12">
                  {jobs.slice(0, NAMED).map((job) => (
                    <Link key={job.id} to="/jobs/$jobId" params={{ jobId: job.id }} className="mono">
                      {shortId(job.id)}
                    </Link>
                  ))}
                  {jobs.length > NAMED && (
                    <span className="ink-3">and {count(jobs.length - NAMED)} more in the CSV</span>
                  )}
                </span>
              </span>
            </li>
          ))}
          {left.length > 0 && (
            <li className="sum ink-3">
              <b>{count(left.length)}</b>
              <Icon name="clock" />
              <span>{over ? "not begun, it was stopped before" : "to go"}</span>
            </li>
          )}
        </ul>
        <p className="t-12 ink-3">
          {run.verb === "cancel"
            ? "A job that runs is cancelled once its task has stopped: the list says when."
            : "The list shows each change as soon as its record has it."}
        </p>
      </section>
    </Dialog>
  );
}

interface Reason {
  readonly kind: Outcome["kind"];
  readonly why: string;
  readonly jobs: readonly Outcome["job"][];
}

/** The outcomes by their reason, without what is of one job only. */
function reasonsOf(outcomes: readonly Outcome[]): readonly Reason[] {
  const found = groupsOf(outcomes, ({ kind, why, job }) => `${kind} ${(why ?? "").replaceAll(job.id, "…")}`);
  return found.map((each) => ({
    kind: each[0]?.kind ?? "refused",
    why: (each[0]?.why ?? "").replaceAll(each[0]?.job.id ?? "", "…").replace(/^Job … /, "the job "),
    jobs: each.map(({ job }) => job),
  }));
}

function save(run: BulkRun): void {
  const rows = run.outcomes.map(({ job, kind, why }) => [
    job.id,
    job.name,
    job.job_type,
    job.status,
    kind,
    why ?? "",
  ]);
  const text = csvOf([["id", "name", "type", "status_before", `${run.verb}_outcome`, "why"], ...rows]);
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `${run.verb}-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.csv`;
  link.click();
  URL.revokeObjectURL(url);
}
