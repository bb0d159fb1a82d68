import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { activeJobs, oldestPending, stats, throughput } from "@/api/queries";
import { STATUSES, type Status } from "@/api/types";
import { StatusLabel } from "@/components/Icon";
import { Answered } from "@/components/states";
import { useNow } from "@/components/Time";
import { jobsWith } from "@/filter/filter";
import { count, duration, share } from "@/format/format";
import { useLive } from "@/live/useLive";
import { failureShare, type Range, RANGES, totals } from "./series";

/** The six counts; each leads to its jobs, and below it stands what is new since the range began. */
export function StatusCounts({ range }: { range: Range }) {
  const figures = useQuery(stats);
  const { minutes, bucket, since } = RANGES[range];
  const flow = useQuery(throughput(minutes, bucket)).data;
  const active = useQuery(activeJobs).data?.jobs ?? [];
  const oldest = useQuery(oldestPending).data;
  useLive([stats.queryKey, activeJobs.queryKey, oldestPending.queryKey]);
  const now = useNow();
  const age = (at: string | undefined) =>
    at === undefined ? null : duration(Math.max(0, (now - Date.parse(at)) / 1000));
  const sums = flow && totals(flow.points);
  const first = (status: Status) => active.find((job) => job.status === status);

  const added = (number: number | undefined, filter: Record<string, string>): ReactNode =>
    number === undefined ? null : (
      <Link to="/jobs" search={jobsWith(filter)}>
        +{count(number)} in {since}
      </Link>
    );
  const of = (job: { id: string; status_changed_at: string } | undefined | null, words: string): ReactNode =>
    job && (
      <Link to="/jobs/$jobId" params={{ jobId: job.id }}>
        {words} {age(job.status_changed_at)}
      </Link>
    );
  const small: Record<Status, ReactNode> = {
    pending: of(oldest, "oldest"),
    running: of(first("running"), "longest"),
    retrying: of(first("retrying"), "longest"),
    completed: added(sums?.completed, { status: "completed", ended: since }),
    failed: (
      <>
        {added(sums?.failed, { status: "failed", ended: since })}
        {sums && failureShare(sums) !== null && ` · ${share(failureShare(sums))}`}
      </>
    ),
    cancelled: added(sums?.cancelled, { status: "cancelled", ended: since }),
  };

  return (
    <section className="panel" aria-label="Jobs by status">
      <Answered query={figures} rows={2}>
        {({ by_status }) => (
          <div className="counts">
            {STATUSES.map((status) => (
              <div className="tile" key={status}>
                <Link to="/jobs" search={jobsWith({ status })} className="tile-main">
                  <StatusLabel status={status} />
                  <strong>{count(by_status[status] ?? 0)}</strong>
                </Link>
                <small>{small[status]}</small>
              </div>
            ))}
          </div>
        )}
      </Answered>
    </section>
  );
}
