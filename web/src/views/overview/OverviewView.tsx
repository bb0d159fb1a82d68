import { STATUSES } from "@/api/types";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { stats } from "@/api/queries";
import { StatusLabel } from "@/components/Icon";
import { Answered } from "@/components/states";
import { jobsWith } from "@/filter/filter";
import { count } from "@/format/format";
import { useLive } from "@/live/useLive";
import { View } from "@/shell/View";

/** How it stands: the jobs by status. */
export function OverviewView() {
  const figures = useQuery(stats);
  useLive([stats.queryKey]);
  return (
    <View title="Overview">
      <section className="panel" aria-label="Jobs by status">
        <Answered query={figures} rows={2}>
          {({ by_status }) => (
            <div className="counts">
              {STATUSES.map((status) => (
                <Link key={status} to="/jobs" search={jobsWith({ status })}>
                  <StatusLabel status={status} />
                  <strong>{count(by_status[status] ?? 0)}</strong>
                </Link>
              ))}
            </div>
          )}
        </Answered>
      </section>
    </View>
  );
}
