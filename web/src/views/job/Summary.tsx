import { BULK_TYPE } from "@/api/bulk";
import type { Explanation, Job } from "@/api/types";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { StatusIcon } from "@/components/Icon";
import { Time, useNow } from "@/components/Time";
import { count, duration, inViewersZone } from "@/format/format";
import { ranSeconds, waitedSeconds } from "@/format/jobTimes";

/** Why the job is as it is: one sentence, its code, what could not be found out, and the figures of its executions. */
export function Summary({
  why,
  job,
  warnings,
}: {
  why: Explanation;
  job: Job;
  /** What a retry would do twice. */
  warnings: readonly string[];
}) {
  const { unavailable } = why;
  const now = useNow();
  return (
    <section className="panel" aria-label="Why">
      <div className="why">
        <p className="t-15 m">{inViewersZone(why.summary, now)}</p>
        {why.finish && (
          <p className="ink-2">
            Done about <Time at={why.finish.at} />,{" "}
            {why.finish.by === "progress"
              ? "if it goes on as fast as until now."
              : `by ${count(why.finish.based_on)} jobs of its type in the last 24 hours.`}
          </p>
        )}
        {warnings.map((warning) => (
          <p key={warning} className="m">
            {warning}
          </p>
        ))}
        {why.sub_jobs.map((sub) => (
          <p key={sub.id} className="row">
            <StatusIcon status={sub.status} />
            <Link to="/jobs/$jobId" params={{ jobId: sub.id }}>
              {sub.name}
            </Link>
            <span className="ink-2 cut">{inViewersZone(sub.summary, now)}</span>
          </p>
        ))}
        <p className="t-12 ink-3">
          <span className="code">{why.code}</span> looked at <Time at={why.at} />,{" "}
          {unavailable.length === 0 ? "everything could be asked" : `not known: ${unavailable.join("; ")}`}
        </p>
      </div>
      {job.job_type !== BULK_TYPE && <Executions job={job} />}
    </section>
  );
}

function Executions({ job }: { job: Job }) {
  const now = useNow();
  const figures: readonly (readonly [string, ReactNode, boolean?])[] = [
    ["Runs", count(job.run)],
    ["Attempts", count(job.started_at == null ? 0 : job.attempt + 1)],
    ["Deliveries", count(job.deliveries)],
    ["Redeliveries", count(job.redeliveries)],
    ["Double runs", count(job.double_runs), job.double_runs > 0],
    ["Wasted", duration(job.wasted_s)],
    ["Waited", duration(waitedSeconds(job, now))],
    [job.sub_job_counts ? "Ran, with its sub-jobs" : "Ran", duration(ranSeconds(job, now))],
  ];
  return (
    <dl className="figures">
      {figures.map(([name, value, isBad]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd className={isBad ? "failed" : ""}>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
