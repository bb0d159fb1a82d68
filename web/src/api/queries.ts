/** What views ask the API for, by name. Views share these, so that each answer is fetched and kept once. */
import { queryOptions } from "@tanstack/react-query";
import { api, data } from "./client";
import type { Schemas } from "./types";

export const stats = queryOptions({
  queryKey: ["stats"],
  queryFn: ({ signal }) => data(api.GET("/api/tracking/stats", { signal })),
});

export const jobTypes = queryOptions({
  queryKey: ["job-types"],
  queryFn: ({ signal }) => data(api.GET("/api/tracking/job-types", { signal })),
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

export const log = (id: string) =>
  queryOptions({
    queryKey: ["job", id, "log"],
    queryFn: ({ signal }) => data(api.GET("/api/jobs/{job_id}/logs", { params: of(id), signal })),
  });
