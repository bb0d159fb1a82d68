import type { Job } from "@/api/types";
import { deleteJob, useWrite } from "@/api/writes";
import { Question } from "@/components/Question";
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
    <Question
      title={`Delete “${job.name}”?`}
      action={below > 0 ? `Delete it and ${plural(below, "sub-job")}` : "Delete it"}
      busy="Deleting…"
      isDanger
      write={write}
      onDone={onDeleted}
      onClose={onClose}
    >
      <p>
        Its record, payload, result, history and log go
        {below > 0 && `, and those of its ${plural(below, "sub-job")} with all below`}. This can’t be taken
        back.
      </p>
    </Question>
  );
}
