import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { activeJobs, oldestPending, stats } from "@/api/queries";
import { STATUSES, type Status } from "@/api/types";
import { StatusLabel } from "@/components/Icon";
import { Answered } from "@/components/states";
import { useNow } from "@/components/Time";
import { jobsWith } from "@/filter/filter";
import { count, duration } from "@/format/format";
import { useLive } from "@/live/useLive";
import { type End, endedWith, useEnded } from "./ended";
import { type Range, RANGES } from "./series";

/** The six counts; each leads to its jobs, and below it stands what is new since the range began. */
export function StatusCounts({ range }: { range: Range }) {
  const figures = useQuery(stats);
  const { since } = RANGES[range];
  const ended = useEnded(since);
  const active = useQuery(activeJobs).data?.jobs ?? [];
  const oldest = useQuery(oldestPending).data;
  useLive([stats.queryKey, activeJobs.queryKey, oldestPending.queryKey]);
  const now = useNow();
  const age = (at: string | undefined) =>
    at === undefined ? null : duration(Math.max(0, (now - Date.parse(at)) / 1000));
  const first = (status: Status) => active.find((job) => job.status === status);

  const added = (status: End): ReactNode =>
    ended[status] === null ? null : (
      <Link to="/jobs" search={endedWith(status, since)}>
        {count(ended[status])} in {since}
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
    completed: added("completed"),
    failed: added("failed"),
    cancelled: added("cancelled"),
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
