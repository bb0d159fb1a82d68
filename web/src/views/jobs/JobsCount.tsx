import { useQuery } from "@tanstack/react-query";
import { stats } from "@/api/queries";
import { count, shortCount } from "@/format/format";
import { useLive } from "@/live/useLive";

/** It stands beside every view, and moves little: it is asked for less often than what the view shows. */
const REST_MS = 2500;

/** All jobs, in the menu. */
export function JobsCount() {
  const { data } = useQuery(stats);
  useLive([stats.queryKey], { restMs: REST_MS });
  return (
    data && (
      <span className="c" title={`${count(data.total)} jobs`}>
        {shortCount(data.total)}
      </span>
    )
  );
}
