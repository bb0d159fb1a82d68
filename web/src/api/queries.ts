/** What views ask the API for, by name. Views share these, so that each answer is fetched and kept once. */
import { queryOptions } from "@tanstack/react-query";
import { api, data } from "./client";
import { type FailureGroup, type FailuresQuery, type LogLine, MOST_ROWS, type Schemas } from "./types";

export const stats = queryOptions({
  queryKey: ["stats"],
  queryFn: ({ signal }) => data(api.GET("/api/tracking/stats", { signal })),
});

export const jobTypes = queryOptions({
  queryKey: ["job-types"],
  queryFn: ({ signal }) => data(api.GET("/api/tracking/job-types", { signal })),
});

/** What may stand where a query ends. */
export const suggested = (q: string) =>
  queryOptions({
    queryKey: ["suggested", q],
    queryFn: ({ signal }) => data(api.GET("/api/search/suggest", { params: { query: { q } }, signal })),
    staleTime: 10_000,
  });

export const workers = queryOptions({
  queryKey: ["workers"],
  queryFn: ({ signal }) => data(api.GET("/api/tracking/worker-stats", { signal })),
});

export const queues = queryOptions({
  queryKey: ["queues"],
  queryFn: ({ signal }) => data(api.GET("/api/tracking/queue-depth", { signal })),
});

/** Health is an answer in both cases: 503 says which part is not well. */
export const health = queryOptions({
  queryKey: ["health"],
  queryFn: async ({ signal }): Promise<Schemas["Health"]> => {
    const answer = await api.GET("/api/tracking/health", { signal });
    if (answer.response.status === 503 && answer.error && "components" in answer.error) return answer.error;
    return data(Promise.resolve(answer));
  },
});

const of = (id: string) => ({ path: { job_id: id } });

export const job = (id: string) =>
  queryOptions({
    queryKey: ["job", id],
    queryFn: ({ signal }) => data(api.GET("/api/jobs/{job_id}", { params: of(id), signal })),
  });

export const explanation = (id: string) =>
  queryOptions({
    queryKey: ["job", id, "explain"],
    queryFn: ({ signal }) => data(api.GET("/api/jobs/{job_id}/explain", { params: of(id), signal })),
  });

export const history = (id: string) =>
  queryOptions({
    queryKey: ["job", id, "history"],
    queryFn: ({ signal }) => data(api.GET("/api/jobs/{job_id}/history", { params: of(id), signal })),
  });

/** How many lines of a log a page keeps. What is older is in the download. */
export const MOST_LINES = 5000;
const PAGE_LINES = 1000;

/** The lines after one, in pages of the API. A page that is short is the last one. */
async function linesAfter(id: string, after: string, most: number, signal?: AbortSignal): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  for (let last = after; lines.length < most;) {
    const page = await data(
      api.GET("/api/jobs/{job_id}/logs", {
        params: { ...of(id), query: { after: last, limit: PAGE_LINES } },
        signal,
      }),
    );
    lines.push(...page);
    last = page.at(-1)?.id ?? last;
    if (page.length < PAGE_LINES) break;
  }
  return lines;
}

/** The last lines of a log. Fetched again, it asks only for those that are new. */
export const log = (id: string) =>
  queryOptions({
    queryKey: ["job", id, "log"],
    queryFn: async ({ signal, client, queryKey }): Promise<LogLine[]> => {
      const known = client.getQueryData<LogLine[]>(queryKey) ?? [];
      const last = known.at(-1);
      if (last === undefined) return data(api.GET("/api/jobs/{job_id}/logs", { params: of(id), signal }));
      const newer = await linesAfter(id, last.id, MOST_LINES, signal);
      return newer.length === 0 ? known : [...known, ...newer].slice(-MOST_LINES);
    },
  });

/** A whole log, as far as the store has kept it. */
export const wholeLog = (id: string) => linesAfter(id, "0-0", Number.POSITIVE_INFINITY);

/** The first sub-jobs of a parent, in their order. */
export const subJobs = (id: string) =>
  queryOptions({
    queryKey: ["job", id, "sub-jobs"],
    queryFn: ({ signal }) =>
      data(api.GET("/api/jobs/", { params: { query: { parent: [id], page_size: 20 } }, signal })),
  });

/** Figures of what ended in the last hours, by type. */
export const performance = (hours: number, type?: string) =>
  queryOptions({
    queryKey: ["performance", hours, type ?? null],
    queryFn: ({ signal }) =>
      data(api.GET("/api/tracking/performance", { params: { query: { hours, job_type: type } }, signal })),
  });

/** The same of one type over time, in buckets; null: of the types with the most jobs. */
export const performanceSeries = (type: string | null, hours: number, bucketHours: number) =>
  queryOptions({
    queryKey: ["performance-series", type, hours, bucketHours],
    queryFn: ({ signal }) =>
      data(
        api.GET("/api/tracking/performance/series", {
          params: { query: { hours, bucket_hours: bucketHours, job_type: type } },
          signal,
        }),
      ),
  });

/** How many jobs of each type have each status. */
export const statsByType = queryOptions({
  queryKey: ["stats", "by-type"],
  queryFn: ({ signal }) => data(api.GET("/api/tracking/stats/by-type", { signal })),
});

/** Jobs that run or wait for their next attempt, the longest in their status first: so many at most. */
export const ACTIVE_LIMIT = 500;
export const activeJobs = queryOptions({
  queryKey: ["active-jobs"],
  queryFn: ({ signal }) =>
    data(api.GET("/api/tracking/active-jobs", { params: { query: { limit: ACTIVE_LIMIT } }, signal })),
});

/** The doctor's examination that runs, and the last one that ended. */
export const examination = queryOptions({
  queryKey: ["examination"],
  queryFn: ({ signal }) => data(api.GET("/api/tracking/examination", { signal })),
});

const PAGE_ROWS = 10_000;
/** The first rows of a tree that nothing is known of: they are there at once, and the others follow. */
const FIRST_ROWS = 200;

/** A tree as rows in columns, parents first: in pages. While the others follow, the last one has a cursor. */
export const treeOutline = (id: string) =>
  queryOptions({
    queryKey: ["tree", id],
    queryFn: async ({ signal, client, queryKey }) => {
      const pages: Schemas["TreeOutline"][] = [];
      const isKnown = client.getQueryData(queryKey) !== undefined;
      for (let cursor: string | undefined, rows = 0; rows < MOST_ROWS;) {
        const limit = rows === 0 && !isKnown ? FIRST_ROWS : Math.min(PAGE_ROWS, MOST_ROWS - rows);
        const page = await data(
          api.GET("/api/tracking/tree-outline/{job_id}", {
            params: { ...of(id), query: { limit, cursor } },
            signal,
          }),
        );
        pages.push(page);
        rows += page.rows;
        if (page.next_cursor == null || page.rows === 0) break;
        if (limit === FIRST_ROWS && cursor === undefined && !isKnown) client.setQueryData(queryKey, [page]);
        cursor = page.next_cursor;
      }
      return pages;
    },
    // Comparing 250,000 values with those before takes longer than to draw the rows in sight.
    structuralSharing: false,
    gcTime: 10_000,
  });

/** What needs somebody. It looks at queues and workers, too: the API keeps the answer for some seconds. */
export const attention = queryOptions({
  queryKey: ["attention"],
  queryFn: ({ signal }) => data(api.GET("/api/tracking/attention", { signal })),
});

/** Jobs created and ended over time. */
export const throughput = (minutes: number, bucket_minutes: number) =>
  queryOptions({
    queryKey: ["throughput", minutes, bucket_minutes],
    queryFn: ({ signal }) =>
      data(api.GET("/api/tracking/throughput", { params: { query: { minutes, bucket_minutes } }, signal })),
  });

/** The job that has been pending for the longest; null without one. */
export const oldestPending = queryOptions({
  queryKey: ["oldest-pending"],
  queryFn: async ({ signal }) => {
    const query = { q: "status:pending", sort: "status_changed_at", page_size: 1 } as const;
    return (await data(api.GET("/api/jobs/", { params: { query }, signal }))).jobs[0] ?? null;
  },
});

const MOST_PAGES = 5;

/** Failures by error: so many groups at most. With a filter, pages of the API may be short: it goes on, up to a bound. */
export const failureGroups = (wanted: FailuresQuery, most: number) =>
  queryOptions({
    queryKey: ["failures", "list", wanted, most],
    queryFn: async ({ signal }) => {
      const groups: FailureGroup[] = [];
      let cursor: string | null = null;
      for (let page = 0; page < MOST_PAGES; page += 1) {
        const query: FailuresQuery = { ...wanted, page_size: most - groups.length, cursor };
        const found: Schemas["FailureGroupPage"] = await data(
          api.GET("/api/failures", { params: { query }, signal }),
        );
        groups.push(...found.groups);
        cursor = found.next_cursor;
        if (cursor === null || groups.length >= most) break;
      }
      return { groups, isAll: cursor === null };
    },
  });

const MOST_COUNTED = 100;

/** How many groups match: `isAll` if no more than that. It is apart from the list, whose rows stand still. */
export const failureCount = (wanted: FailuresQuery) =>
  queryOptions({
    queryKey: ["failures", "count", wanted],
    queryFn: async ({ signal }) => {
      const query: FailuresQuery = { ...wanted, page_size: MOST_COUNTED };
      const found = await data(api.GET("/api/failures", { params: { query }, signal }));
      return { count: found.groups.length, isAll: found.next_cursor === null };
    },
  });

export const failureGroup = (id: string) =>
  queryOptions({
    queryKey: ["failures", "group", id],
    queryFn: ({ signal }) =>
      data(api.GET("/api/failures/{group_id}", { params: { path: { group_id: id } }, signal })),
  });

const DAY_MS = 86_400_000;

/** The groups that need somebody, as `attention` names them: new or regressed, and seen within a day. */
export const needyFailures = queryOptions({
  queryKey: ["failures", "needy"],
  queryFn: ({ signal }) => {
    const since = new Date(Date.now() - DAY_MS).toISOString();
    const query: FailuresQuery = { state: ["new", "regressed"], since, page_size: 100 };
    return data(api.GET("/api/failures", { params: { query }, signal }));
  },
});
