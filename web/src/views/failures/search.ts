/** What the URL of the view holds, and what the API is asked for with it. */
import type { FailuresQuery, FailureState } from "@/api/types";

export const TABS = ["open", "resolved", "ignored"] as const;
export type Tab = (typeof TABS)[number];
export const SORTS = ["-last_seen", "-count"] as const;
export type FailureSort = (typeof SORTS)[number];

export interface FailuresSearch {
  /** Which groups; those that are open without it. */
  state?: Tab;
  sort?: FailureSort;
  /** The group that is looked at. */
  group?: string;
  /** How far its chart goes back; a day without it. */
  span?: "7d";
  /** Only groups in which jobs of this type, queue or release have failed, or with this type of error. */
  type?: string;
  queue?: string;
  release?: string;
  error?: string;
}

const text = (value: unknown): string | undefined =>
  typeof value === "string" && value !== ""
    ? value
    : typeof value === "number" // the router reads 2026 as one
      ? String(value)
      : undefined;

export function failuresSearch(given: Record<string, unknown>): FailuresSearch {
  return {
    state: TABS.find((tab) => tab === given.state),
    sort: SORTS.find((sort) => sort === given.sort),
    group: text(given.group),
    span: given.span === "7d" ? "7d" : undefined,
    type: text(given.type),
    queue: text(given.queue),
    release: text(given.release),
    error: text(given.error),
  };
}

const STATES: Readonly<Record<Tab, FailureState[]>> = {
  open: ["new", "regressed", "known"],
  resolved: ["resolved"],
  ignored: ["ignored"],
};

/** What to ask the API for. */
export function wantedOf({ state, sort, type, queue, release, error }: FailuresSearch): FailuresQuery {
  return {
    state: STATES[state ?? "open"],
    sort: sort ?? "-last_seen",
    job_type: type,
    queue,
    release,
    error_type: error,
  };
}
