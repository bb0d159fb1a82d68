/** How long a job waited and ran, the same wherever it stands. */

interface Times {
  readonly status: string;
  readonly due_at?: string | null;
  readonly started_at?: string | null;
  readonly finished_at?: string | null;
  readonly status_changed_at: string;
}

/** Seconds from when its run was sent, or from its ETA, until it began, or until now; null: it was not sent. */
export function waitedSeconds(job: Times, now: number): number | null {
  return seconds(job.due_at, job.started_at ?? job.finished_at, now);
}

/**
 * Seconds from when it began until it ended, or until now; null: it has not begun. One that waits for its next attempt
 * does not run: until its last attempt ended.
 */
export function ranSeconds(job: Times, now: number): number | null {
  const end = job.finished_at ?? (job.status === "retrying" ? job.status_changed_at : null);
  return seconds(job.started_at, end, now);
}

interface SubJobCounts {
  readonly total: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
}

/** For how many of its sub-jobs a job waits that is called running: its own task begins after them. */
export function openSubJobs(job: {
  readonly status: string;
  readonly sub_job_counts?: SubJobCounts | null;
}): number {
  const counts = job.sub_job_counts;
  if (job.status !== "running" || counts == null) return 0;
  return Math.max(0, counts.total - counts.completed - counts.failed - counts.cancelled);
}

function seconds(from: string | null | undefined, to: string | null | undefined, now: number): number | null {
  if (from == null) return null;
  return Math.max(0, (to == null ? now : Date.parse(to)) - Date.parse(from)) / 1000;
}
