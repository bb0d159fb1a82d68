/** What views ask about workers, their drains, queues over time, and releases; and what they ask to be done. */
import { queryOptions } from "@tanstack/react-query";
import { api, data } from "./client";
import type { Schemas } from "./types";

export type WorkerFigures = Schemas["WorkerFigures"];
export type Drain = Schemas["Drain"];

/** The workers of a day beside each other, with figures of the last hour. */
export const workerReport = queryOptions({
  queryKey: ["worker-report"],
  queryFn: ({ signal }) => data(api.GET("/api/tracking/workers", { signal })),
});

const named = (name: string) => ({ path: { name } });

/** What a worker still has, and whether it is safe to stop. The worker itself is asked. */
export const drainOf = (name: string) =>
  queryOptions({
    queryKey: ["drain", name],
    queryFn: ({ signal }) =>
      data(api.GET("/api/tracking/workers/{name}/drain", { params: named(name), signal })),
    retry: false,
  });

export const drainWorker = (name: string): Promise<Drain> =>
  data(api.POST("/api/tracking/workers/{name}/drain", { params: named(name) }));

export const undoDrain = (name: string): Promise<Drain> =>
  data(api.DELETE("/api/tracking/workers/{name}/drain", { params: named(name) }));

/** Waits, arrivals and ends of queues over time, in steps of five minutes; of one queue, or of all. */
export const queueSeries = (hours: number, queue?: string) =>
  queryOptions({
    queryKey: ["queue-series", hours, queue ?? null],
    queryFn: ({ signal }) =>
      data(api.GET("/api/tracking/queue-series", { params: { query: { queue, hours } }, signal })),
  });

/** So many releases are listed at most. */
export const MOST_RELEASES = 50;

export const releases = queryOptions({
  queryKey: ["releases"],
  queryFn: ({ signal }) =>
    data(api.GET("/api/releases", { params: { query: { limit: MOST_RELEASES } }, signal })),
});

/** Whether release b is worse than release a. */
export const comparison = (a: string, b: string) =>
  queryOptions({
    queryKey: ["releases", "compare", a, b],
    queryFn: ({ signal }) => data(api.GET("/api/releases/compare", { params: { query: { a, b } }, signal })),
    retry: false,
  });
