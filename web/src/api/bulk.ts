/** Bulk runs: one change of many jobs, which the API does by itself. */
import { queryOptions } from "@tanstack/react-query";
import { api, data } from "./client";
import { type Schemas, SETTLED } from "./types";
import { cancelJob } from "./writes";

export type BulkAction = Schemas["BulkAction"];
export type BulkPreview = Schemas["BulkPreview"];
export type BulkRun = Schemas["BulkRun"];
export type BulkRefusal = Schemas["BulkRefusal"];
export type BulkRequest = Partial<Schemas["BulkRequest"]> & Pick<Schemas["BulkRequest"], "action">;

/** The type of the jobs that bulk runs are. */
export const BULK_TYPE = "jobtracker.bulk";
/** So many jobs may be named by their ids. */
export const MOST_IDS = 10_000;

const ask = (request: BulkRequest) =>
  data(
    // The document gives fields defaults, which the API adds by itself.
    api.POST("/api/jobs/bulk", { body: request as Schemas["BulkRequest"] }),
  );

/** What a bulk run would change. It is asked for once: who confirms it confirms what they have seen. */
export const bulkPreview = (request: BulkRequest, asOf: number) =>
  queryOptions({
    queryKey: ["bulk", "preview", request, asOf],
    queryFn: async () => (await ask({ ...request, dry_run: true })) as BulkPreview,
    staleTime: Infinity,
    gcTime: 0,
  });

/** Begin a bulk run. */
export const beginBulk = async (request: BulkRequest): Promise<BulkRun> => (await ask(request)) as BulkRun;

/** Stop a bulk run: what it has changed stays so. */
export const stopBulk = (id: string) => cancelJob(id, { reason: "stopped on the page", terminate: false });

const LOOK_MS = 700;

/** A bulk run: how far it is. It is asked for again until it has ended. */
export const bulkRun = (id: string) =>
  queryOptions({
    queryKey: ["bulk", "run", id],
    queryFn: ({ signal }) =>
      data(api.GET("/api/jobs/bulk/{job_id}", { params: { path: { job_id: id } }, signal })),
    refetchInterval: ({ state }) =>
      state.data === undefined ? false : SETTLED.has(state.data.status) ? false : LOOK_MS,
  });

/** Why a bulk run does not go on now, as its job says it; null if it does. */
export const bulkWait = (id: string) =>
  queryOptions({
    queryKey: ["bulk", "wait", id],
    queryFn: async ({ signal }) => {
      const job = await data(api.GET("/api/jobs/{job_id}", { params: { path: { job_id: id } }, signal }));
      if (job.status === "pending") return "It waits for its turn.";
      const note = job.progress?.note ?? "";
      return /^\d/.test(note) || note === "" ? null : `Now ${note}.`; // else it says how far it is
    },
    refetchInterval: ({ state }) => (state.error ? false : 2 * LOOK_MS),
  });

const refusedPage = (id: string, cursor: number, limit: number, signal?: AbortSignal) =>
  data(
    api.GET("/api/jobs/bulk/{job_id}/refused", {
      params: { path: { job_id: id }, query: { cursor, limit } },
      signal,
    }),
  );

/** The first jobs that it could not change, with the reasons; `refused`: how many there are by now. */
export const bulkRefused = (id: string, refused: number) =>
  queryOptions({
    queryKey: ["bulk", "refused", id, refused],
    queryFn: ({ signal }) => refusedPage(id, 0, 500, signal),
    enabled: refused > 0,
    staleTime: Infinity,
    placeholderData: (before) => before,
  });

/** All jobs that it could not change, as far as they are kept. */
export async function allRefused(id: string): Promise<BulkRefusal[]> {
  const found: BulkRefusal[] = [];
  for (let cursor: number | null = 0; cursor !== null;) {
    const page: Schemas["BulkRefusals"] = await refusedPage(id, cursor, 500);
    found.push(...page.refused);
    cursor = page.next_cursor;
  }
  return found;
}
