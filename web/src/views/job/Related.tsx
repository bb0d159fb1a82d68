import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { job as jobQuery, subJobs } from "@/api/queries";
import type { Job } from "@/api/types";
import { StatusIcon } from "@/components/Icon";
import { Panel } from "@/components/Panel";
import { Answered } from "@/components/states";
import { jobsWith } from "@/filter/filter";
import { plural, shortId } from "@/format/format";

/** The jobs that this one belongs to: its parent, who sent it, its chain, its sub-jobs. */
export function Related({ job, previous }: { job: Job; previous: string | null }) {
  const others: readonly (readonly [string, string | null | undefined])[] = [
    ["parent", job.parent_id],
    ["sent by", job.sent_by],
    ["before it in its chain", previous],
    ["next in its chain", job.next_id],
  ];
  const shown = others.filter(([, id]) => id != null);
  const counts = job.sub_job_counts;
  if (shown.length === 0 && !counts) return null;
  return (
    <Panel
      title="Belongs to"
      actions={
        counts ? (
          <Link to="/jobs/$jobId/tree" params={{ jobId: job.id }} className="btn small">
            Tree <kbd>t</kbd>
          </Link>
        ) : undefined
      }
      foot={
        counts ? (
          <Link to="/jobs" search={jobsWith({ parent: job.id })}>
            {plural(counts.total, "sub-job")}: {counts.completed} completed, {counts.failed} failed,{" "}
            {counts.cancelled} cancelled
          </Link>
        ) : undefined
      }
    >
      <ul className="related">
        {shown.map(([how, id]) => (
          <Other key={how} how={how} id={id ?? ""} />
        ))}
        {counts && <SubJobs id={job.id} />}
      </ul>
    </Panel>
  );
}

function Other({ how, id }: { how: string; id: string }) {
  const { data: found } = useQuery(jobQuery(id));
  return (
    <li>
      {found ? <StatusIcon status={found.status} /> : <span className="si" />}
      <Link to="/jobs/$jobId" params={{ jobId: id }} className="cut">
        {found?.name ?? shortId(id)}
      </Link>
      <span className="ink-3">{how}</span>
    </li>
  );
}

function SubJobs({ id }: { id: string }) {
  const list = useQuery(subJobs(id));
  return (
    <Answered query={list} rows={3}>
      {({ jobs }) =>
        jobs.map((each) => (
          <li key={each.id}>
            <StatusIcon status={each.status} />
            <Link to="/jobs/$jobId" params={{ jobId: each.id }} className="cut">
              {each.name}
            </Link>
            <span className="ink-3">{each.status}</span>
          </li>
        ))
      }
    </Answered>
  );
}
