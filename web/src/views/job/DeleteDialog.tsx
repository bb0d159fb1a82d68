import type { Job } from "@/api/types";
import { deleteJob, useWrite } from "@/api/writes";
import { Dialog } from "@/components/Dialog";
import { ErrorNotice } from "@/components/states";
import { plural } from "@/format/format";

interface DeleteDialogProps {
  job: Job;
  onDeleted: () => void;
  onClose: () => void;
}

/** Asks before a job is deleted: with how many sub-jobs, and that nothing brings it back. */
export function DeleteDialog({ job, onDeleted, onClose }: DeleteDialogProps) {
  const write = useWrite(
    () => deleteJob(job.id),
    () => [["stats"]],
  );
  const below = job.sub_job_counts?.total ?? 0;
  return (
    <Dialog
      title={`Delete “${job.name}”?`}
      onClose={onClose}
      footer={
        <>
          <span className="push" />
          <button type="button" className="btn" onClick={onClose}>
            Leave it
          </button>
          <button
            type="button"
            className="btn danger"
            disabled={write.isPending}
            onClick={() => {
              write.mutate(undefined, { onSuccess: onDeleted });
            }}
          >
            {write.isPending
              ? "Deleting…"
              : below > 0
                ? `Delete it and ${plural(below, "sub-job")}`
                : "Delete it"}
          </button>
        </>
      }
    >
      <section className="col">
        {write.error && <ErrorNotice error={write.error} />}
        <p>
          Its record, payload, result, history and log go
          {below > 0 && `, and those of its ${plural(below, "sub-job")} with all below`}. This can’t be taken
          back.
        </p>
      </section>
    </Dialog>
  );
}
