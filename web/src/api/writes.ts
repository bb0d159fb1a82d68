/** What views ask the API to do, by name, and a hook that shows a write as pending until its effect was read. */
import { type QueryKey, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, data } from "./client";
import type { FailureAction, Job, JobTree, Schemas } from "./types";

const of = (id: string) => ({ path: { job_id: id } });

export const startJob = (id: string): Promise<Job> =>
  data(api.POST("/api/jobs/{job_id}/start", { params: of(id) }));

export const cancelJob = (id: string, how: Schemas["Cancel"]): Promise<Job> =>
  data(api.POST("/api/jobs/{job_id}/cancel", { params: of(id), body: how }));

/** Run a job again; answers with the job that runs, which is another one of its chain with `from_failed`. */
export const retryJob = (id: string, fromFailed = false): Promise<Job> =>
  data(api.POST("/api/jobs/{job_id}/retry", { params: of(id), body: { from_failed: fromFailed } }));

export const deleteJob = (id: string): Promise<unknown> =>
  data(api.DELETE("/api/jobs/{job_id}", { params: of(id) }));

export const updateJob = (id: string, changes: Schemas["JobUpdate"]): Promise<Job> =>
  data(api.PUT("/api/jobs/{job_id}", { params: of(id), body: changes }));

export const createJob = (body: Schemas["CreateJob"]): Promise<Job> => data(api.POST("/api/jobs/", { body }));

export const createTree = (body: Schemas["CreateJobTree"]): Promise<JobTree> =>
  data(api.POST("/api/jobs/with-subjobs", { body }));

/** Say of a group of failures that it is resolved, to be ignored, or neither. */
export const markFailure = (id: string, action: FailureAction): Promise<Schemas["FailureGroupDetails"]> =>
  data(api.PUT("/api/failures/{group_id}", { params: { path: { group_id: id } }, body: { action } }));

/** So many groups are marked at once. */
const MARKED_AT_ONCE = 4;

/** Say the same of several groups. All are tried; the error names how many were not marked, and why the first was not. */
export async function markFailures(ids: readonly string[], action: FailureAction): Promise<void> {
  const left = [...ids];
  const errors: Error[] = [];
  const work = async () => {
    for (let id = left.shift(); id !== undefined; id = left.shift()) {
      try {
        await markFailure(id, action);
      } catch (error) {
        errors.push(error instanceof Error ? error : new Error(String(error)));
      }
    }
  };
  await Promise.all(Array.from({ length: MARKED_AT_ONCE }, work));
  const [first] = errors;
  if (first) throw new Error(`${errors.length} of ${ids.length} groups were not marked: ${first.message}`);
}

/**
 * A write. It is pending until what it changes was fetched again, so that its button and the screen agree.
 *
 * @param write What is asked of the API.
 * @param touched The keys of the queries that show its effect.
 */
export function useWrite<Given, Answer>(
  write: (given: Given) => Promise<Answer>,
  touched: (given: Given) => readonly QueryKey[],
) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: write,
    onSettled: (_answer, _error, given) =>
      Promise.all(touched(given).map((queryKey) => client.invalidateQueries({ queryKey }))),
  });
}
