/** The shapes of the API's answers, by short names. */
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];
export type ListQuery = NonNullable<paths["/api/jobs/"]["get"]["parameters"]["query"]>;
export type Job = Schemas["Job"];
export type JobTree = Schemas["JobTree"];
export type JobSummary = Schemas["JobSummary"];
export type Explanation = Schemas["Explanation"];
export type HistoryEntry = Schemas["HistoryEntry"];
export type LogLine = Schemas["LogLine"];
export type JobType = Schemas["JobType"];
export type WorkerStats = Schemas["WorkerStats"];
export type QueueDepth = Schemas["QueueFigures"];
export type FailureGroup = Schemas["FailureGroupSummary"];
export type FailureState = Schemas["FailureState"];
export type FailureAction = Schemas["FailureAction"];
export type FailuresQuery = NonNullable<paths["/api/failures"]["get"]["parameters"]["query"]>;
export type Status = Schemas["Status"];
export type Priority = Schemas["Priority"];

export const STATUSES = [
  "pending",
  "running",
  "retrying",
  "completed",
  "failed",
  "cancelled",
] as const satisfies Status[];
export const PRIORITIES = ["critical", "high", "normal", "low"] as const satisfies Priority[];
export const SETTLED: ReadonlySet<Status> = new Set(["completed", "failed", "cancelled"]);
/** How many rows of a tree a page shows. */
export const MOST_ROWS = 30_000;
