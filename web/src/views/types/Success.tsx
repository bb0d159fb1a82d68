import { useQuery } from "@tanstack/react-query";
import { performance } from "@/api/queries";
import { share } from "@/format/format";
import { type Figures, usualIfWorse, usualWindow } from "./usual";
import { type WindowName, windowOf } from "./windows";

/** What a link from a number of runs leads to. */
export const RUNS_OF_JOBS =
  "Shows the jobs of these runs, each once. One that was retried has the status of its last run.";

const KEPT_MS = 600_000;

/** The figures of a longer time than the one that is shown: what is usual. They change slowly. */
export function useUsual(window: WindowName | undefined, type?: string) {
  const longer = usualWindow(window);
  const { queryKey, queryFn } = performance(windowOf(longer ?? "31d").hours, type);
  return useQuery({
    queryKey: ["usual", ...queryKey],
    queryFn,
    enabled: longer !== null,
    staleTime: KEPT_MS,
  });
}

/** A share of success. It has a colour only where it is significantly worse than usual. */
export function Success({ figures, usual }: { figures: Figures | null; usual: Figures | undefined }) {
  const before = usualIfWorse(figures, usual);
  if (before === null) return <span>{share(figures?.success_rate)}</span>;
  return (
    <span className="failed b" title={`Worse than usual: ${share(before)} before.`}>
      {share(figures?.success_rate)}
    </span>
  );
}
