/** Figures over time, all on one axis. */
import type { Schemas } from "@/api/types";
import type { Line } from "@/components/charts/Lines";

export const RANGES = {
  "1h": { minutes: 60, bucket: 2, hours: 2, since: "1h", words: "the last hour" },
  "24h": { minutes: 1440, bucket: 30, hours: 25, since: "24h", words: "the last 24 hours" },
  "7d": { minutes: 10_080, bucket: 240, hours: 169, since: "7d", words: "the last 7 days" },
} as const;
export type Range = keyof typeof RANGES;

type Point = Schemas["FlowPoint"];
type Count = "created" | "completed" | "failed" | "cancelled";

/** How many of each there were in all buckets together. */
export function totals(points: readonly Point[]): Record<Count, number> {
  const sum = (name: Count) => points.reduce((all, point) => all + point[name], 0);
  return {
    created: sum("created"),
    completed: sum("completed"),
    failed: sum("failed"),
    cancelled: sum("cancelled"),
  };
}

/** The share of completed and failed jobs that failed; null where none ended. */
export function failureShare({ completed, failed }: Pick<Point, "completed" | "failed">): number | null {
  return completed + failed === 0 ? null : failed / (completed + failed);
}

/**
 * How long jobs of the types with the most jobs waited: p95 of the hour in which each bucket of the axis lies.
 *
 * @param at The buckets of the axis.
 * @param most How many types.
 */
export function waits(
  series: Schemas["PerformanceSeries"],
  at: readonly string[],
  most: number,
): readonly Line[] {
  const hours = series.at.map((each) => Date.parse(each));
  const ofBucket = at.map((each) => hours.findLastIndex((hour) => hour <= Date.parse(each)));
  const jobs = (name: string) => series.by_type[name]?.count.reduce((all, each) => all + each, 0) ?? 0;
  return Object.keys(series.by_type)
    .sort((a, b) => jobs(b) - jobs(a) || a.localeCompare(b))
    .slice(0, most)
    .map((label) => {
      const found = series.by_type[label]?.wait_p95_s ?? [];
      return {
        label,
        values: ofBucket.map((hour) => found[hour] ?? null),
        overall: found.findLast((each) => each !== null) ?? null,
      };
    });
}
