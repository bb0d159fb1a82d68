/** Jobs that no worker could run again, as far as the announced types tell. */
import type { JobSummary, JobType } from "@/api/types";

const CUSTOM = "custom";

/** The types of jobs, of custom ones the tasks, that no worker has announced; parents' too. */
export function unannounced(
  jobs: readonly Pick<JobSummary, "job_type" | "task">[],
  types: readonly JobType[],
): string[] {
  const names = new Set(types.map(({ name }) => name).filter((name) => name !== CUSTOM));
  const tasks = new Set(types.map(({ task }) => task));
  const missing = jobs
    .map(({ job_type: type, task }) => ({ type, task: task ?? type }))
    .filter(({ type, task }) => !names.has(type) && !names.has(task) && !tasks.has(task))
    .map(({ type, task }) => (type === CUSTOM ? task : type));
  return [...new Set(missing)].sort();
}

/** What that means for a retry; null: all are announced. */
export function hindranceOf(missing: readonly string[]): string | null {
  if (missing.length === 0) return null;
  const more = missing.length > 3 ? `, and of ${(missing.length - 3).toLocaleString("en")} more types` : "";
  return `No worker announces ${missing.slice(0, 3).join(", ")}${more}: such a job would wait in its queue, or fail at once.`;
}
