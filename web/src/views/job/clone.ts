/** What one more job like this one would be created with. */
import type { Job, JobTree, Schemas } from "@/api/types";

export const MASK = "***";

export interface Prefilled {
  readonly job_type: string;
  readonly payload: unknown;
}

/**
 * Type and payload of a copy. A job whose task was called with positional arguments becomes a `custom` job: a payload
 * has names.
 */
export function cloneOf(job: Pick<Job, "job_type" | "payload" | "args" | "task">): Prefilled {
  if (job.job_type !== "custom" && job.args?.length)
    return {
      job_type: "custom",
      payload: { task: job.task ?? job.job_type, args: job.args, kwargs: job.payload ?? {} },
    };
  return { job_type: job.job_type, payload: job.payload ?? {} };
}

/** Up to so many sub-jobs a copy has copies of them unless somebody says otherwise. More is work for a whole fleet. */
const FEW_SUB_JOBS = 20;

export function copiesSubJobs(subJobs: number): boolean {
  return subJobs > 0 && subJobs <= FEW_SUB_JOBS;
}

/** The paths of masked values: they would be sent as they are shown. */
export function maskedIn(value: unknown, path = ""): string[] {
  if (value === MASK) return [path];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, part]) =>
    maskedIn(part, path === "" ? name : `${path}.${name}`),
  );
}

/** Why a job can't be copied as it stands; null if it can. */
export function whyNotCopied(job: Job): string | null {
  if (job.arguments_repr) return "its arguments are stored as shortened text only";
  if ("payload" in job.large_values || "args" in job.large_values)
    return "its payload is in the object store: download it, and paste what you need";
  return null;
}

/** The sub-jobs of a tree, to be created again. An error names the first one that can't be. */
export function subJobsOf(tree: JobTree): Schemas["SubJobCreate"][] {
  return (tree.sub_jobs ?? []).map((sub) => {
    const why = whyNotCopied(sub) ?? (maskedIn(sub.payload).length > 0 ? "it has masked values" : null);
    if (why !== null) throw new Error(`The sub-job ${sub.id} (${sub.name}) can’t be copied: ${why}.`);
    return {
      name: sub.name,
      priority: sub.priority,
      tags: sub.tags,
      failure_policy: sub.failure_policy ?? "fail",
      ...(cloneOf(sub) as { job_type: string; payload: Record<string, never> }),
      sub_jobs: subJobsOf(sub),
    };
  });
}
