import { useQuery } from "@tanstack/react-query";
import { stats } from "@/api/queries";
import { count, shortCount } from "@/format/format";
import { useLive } from "@/live/useLive";

/** All jobs, in the menu. */
export function JobsCount() {
  const { data } = useQuery(stats);
  useLive([stats.queryKey]);
  return (
    data && (
      <span className="c" title={`${count(data.total)} jobs`}>
        {shortCount(data.total)}
      </span>
    )
  );
}
