import { type FormEvent, useId, useState } from "react";
import type { Job } from "@/api/types";
import { cancelJob, useWrite } from "@/api/writes";
import { plural } from "@/format/format";
import { Dialog } from "./Dialog";
import { ErrorNotice } from "./states";

interface CancelDialogProps {
  job: Pick<Job, "id" | "name" | "status" | "sub_job_counts" | "cancel_requested_at">;
  /** Of all below it, how many have not ended; null: that is not known. */
  open?: number | null;
  /** Terminate is chosen already. */
  terminate?: boolean;
  onDone: (said: string) => void;
  onClose: () => void;
}

/** Asks before a job is cancelled: what it stops, why, and whether a running task is killed. */
export function CancelDialog({ job, open = null, terminate = false, onDone, onClose }: CancelDialogProps) {
  const id = useId();
  const [reason, setReason] = useState("");
  const [kills, setKills] = useState(terminate);
  const counts = job.sub_job_counts;
  const below = open ?? (counts ? counts.total - counts.completed - counts.failed - counts.cancelled : 0);
  const write = useWrite(
    (how: { reason: string; terminate: boolean }) => cancelJob(job.id, how),
    () => [
      ["job", job.id],
      ["tree", job.id],
    ],
  );

  function submit(event: FormEvent): void {
    event.preventDefault();
    write.mutate(
      { reason: reason.trim() || "cancelled on the page", terminate: kills },
      {
        onSuccess: (after) => {
          onDone(
            after.status === "cancelled"
              ? "It is cancelled."
              : kills
                ? "Its task is being killed."
                : "The cancel is requested: its task stops when it next checks for it.",
          );
          onClose();
        },
      },
    );
  }

  return (
    <Dialog
      title={`${kills ? "Terminate" : "Cancel"} “${job.name}”?`}
      onClose={onClose}
      footer={
        <>
          <span className="push" />
          <button type="button" className="btn" onClick={onClose}>
            Leave it
          </button>
          <button type="submit" form={id} className="btn danger" disabled={write.isPending}>
            {write.isPending ? "Cancelling…" : kills ? "Terminate it" : "Cancel it"}
          </button>
        </>
      }
    >
      <form id={id} onSubmit={submit}>
        <section className="col">
          {write.error && <ErrorNotice error={write.error} />}
          <p>
            {job.status === "pending" ? "It waits, and is cancelled at once." : "It is asked to stop."}
            {below > 0 &&
              ` With it, ${plural(below, "job")} below it that ${below === 1 ? "has" : "have"} not ended.`}
            {" A retry can run it again later."}
          </p>
          <div className="field">
            <label htmlFor={`${id}-reason`}>Why, and who asks</label>
            <input
              id={`${id}-reason`}
              className="input"
              maxLength={300}
              value={reason}
              placeholder="cancelled on the page"
              onChange={(event) => {
                setReason(event.target.value);
              }}
            />
            <span className="hint">It stands in the job and in its history.</span>
          </div>
          <label className="row">
            <input
              type="checkbox"
              className="check"
              checked={kills}
              onChange={(event) => {
                setKills(event.target.checked);
              }}
            />
            Terminate: kill a running task instead of asking it to stop
          </label>
          {kills && (
            <p className="t-12 ink-2">
              What the task was doing stays half done. Workers with threads, and solo ones, can’t kill a task:
              it is asked to stop, and the job’s reason says so.
            </p>
          )}
        </section>
      </form>
    </Dialog>
  );
}
