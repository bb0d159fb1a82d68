import { Link } from "@tanstack/react-router";
import type { Schemas } from "@/api/types";
import { StatusIcon } from "@/components/Icon";
import { Time } from "@/components/Time";
import { jobsWith } from "@/filter/filter";
import { count, plural, shortId } from "@/format/format";
import { jobsOf, partsOf } from "./groups";

const MOST = 6;

interface PartsProps {
  title: string;
  counts: Readonly<Record<string, number>>;
  /** The group. */
  id: string;
  /** By which its jobs of one of the names are found. */
  qualifier: string;
}

/** How many failures by each name, as bars on one scale. */
export function Parts({ title, counts, id, qualifier }: PartsProps) {
  const parts = partsOf(counts);
  if (parts.length === 0) return null;
  const most = Math.max(...parts.map((part) => part.count));
  const shown = parts.slice(0, MOST);
  return (
    <section aria-label={title}>
      <h3>{title}</h3>
      {shown.map(({ name, count: number }) => (
        <div className="failure-part t-12" key={name}>
          {name === "" ? (
            <span className="dim">others</span>
          ) : (
            <Link
              to="/jobs"
              search={jobsWith({ ...jobsOf(id), [qualifier]: name })}
              className="mono cut"
              title={name}
            >
              {name}
            </Link>
          )}
          <svg className="depth" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
            <rect width="100" height="6" className="track" />
            <rect width={(number * 100) / most} height="6" className="fill-failed" />
          </svg>
          <span className="r">{count(number)}</span>
        </div>
      ))}
      {parts.length > MOST && <p className="t-12 dim">and {count(parts.length - MOST)} more</p>}
    </section>
  );
}

const LATEST = 6;

/** The jobs that failed last, and the way to all of them. */
export function Latest({ group }: { group: Schemas["FailureGroupDetails"] }) {
  const again = group.count - group.jobs;
  return (
    <>
      {group.samples.length > 0 && (
        <section aria-label="Latest jobs">
          <h3 className="failure-sub">
            Latest <span className="ink-3">of {count(group.jobs)} that are failed now</span>
          </h3>
          <ul className="failure-jobs">
            {group.samples.slice(0, LATEST).map((job) => (
              <li key={job.id} className="row t-12">
                <StatusIcon status={job.status} />
                <Link to="/jobs/$jobId" params={{ jobId: job.id }} className="cut">
                  {job.name}
                </Link>
                <span className="mono t-11 dim">{shortId(job.id)}</span>
                <span className="push dim cut">{job.worker}</span>
                <span className="nowrap">
                  <Time at={job.status_changed_at} />
                </span>
              </li>
            ))}
          </ul>
        </section>
      )}
      <div className="pf wrap">
        <span>
          {plural(group.count, "failure")}
          {again > 0 && `; ${count(again)} ${again === 1 ? "was" : "were"} retried or deleted`}
        </span>
        {group.jobs > 0 && (
          <Link to="/jobs" search={jobsWith({ ...jobsOf(group.id) })} className="push">
            All {count(group.jobs)} in the list
          </Link>
        )}
      </div>
    </>
  );
}
