import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { BULK_TYPE } from "@/api/bulk";
import { explanation, history, job as jobQuery } from "@/api/queries";
import { type Explanation, type HistoryEntry, type Job, SETTLED } from "@/api/types";
import { useCommands } from "@/commands/commands";
import { CopyButton } from "@/components/CopyButton";
import { StatusLabel } from "@/components/Icon";
import { Panel } from "@/components/Panel";
import { Answered, ErrorNotice, Loading } from "@/components/states";
import { Time } from "@/components/Time";
import { count, duration, plural, secondsBetween } from "@/format/format";
import { openSubJobs } from "@/format/jobTimes";
import { useLive } from "@/live/useLive";
import { View } from "@/shell/View";
import { BulkPanel } from "./BulkPanel";
import { ErrorPanel, PreviousError } from "./ErrorPanel";
import { ExecutionChart } from "./ExecutionChart";
import { doneTwice, type Execution, executionsOf, ledgerOf } from "./executions";
import { previousError } from "./previousError";
import { useJobActions } from "./JobActions";
import { JobFacts } from "./JobFacts";
import { JobLog } from "./JobLog";
import { Related } from "./Related";
import type { JobSearch } from "./route";
import { Summary } from "./Summary";
import { Timeline } from "./Timeline";
import { Payload, Result } from "./Values";
import "./job.css";

const route = getRouteApi("/jobs/$jobId");

/** One job: first why it is as it is, then what is known of it, then how it came. */
export function JobView() {
  const { jobId } = route.useParams();
  const search = route.useSearch();
  const job = useQuery(jobQuery(jobId));
  const why = useQuery(explanation(jobId));
  const past = useQuery(history(jobId));
  useLive([jobQuery(jobId).queryKey], { job: jobId });

  const name = job.data?.name ?? "Job";
  return (
    <View title={name} heading={<Heading name={name} id={jobId} />}>
      <Answered query={job}>
        {(found) => <Found key={jobId} job={found} why={why} past={past} search={search} />}
      </Answered>
    </View>
  );
}

interface Query<T> {
  data: T | undefined;
  error: Error | null;
  refetch: () => unknown;
}

interface FoundProps {
  job: Job;
  why: Query<Explanation>;
  past: Query<HistoryEntry[]>;
  search: JobSearch;
}

function Found({ job, why, past, search }: FoundProps) {
  const navigate = useNavigate();
  const isBulk = job.job_type === BULK_TYPE; // the API does it: no worker executes it
  const executions = isBulk ? [] : executionsOf(past.data ?? [], job.status);
  const warnings = doneTwice(executions);
  const { buttons, dialogs, outcome } = useJobActions(job, warnings);
  const isOver = job.status === "failed" || job.status === "cancelled";
  useCommands(
    job.sub_job_counts
      ? [
          {
            label: "Open its tree",
            key: "t",
            run: () => void navigate({ to: "/jobs/$jobId/tree", params: { jobId: job.id } }),
          },
        ]
      : [],
  );
  return (
    <>
      <div className="row wrap job-head">
        <StatusLabel status={job.status} chip />
        <span className="ink-2">
          <Time at={job.status_changed_at} />, <Time at={job.status_changed_at} as="ago" />
          {SETTLED.has(job.status) &&
            ` · ${duration(secondsBetween(job.created_at, job.finished_at))} after it was created`}
          {openSubJobs(job) > 0 && (
            <>
              {" · waits for "}
              <Link to="/jobs/$jobId/tree" params={{ jobId: job.id }}>
                {count(openSubJobs(job))} of its {plural(job.sub_job_counts?.total ?? 0, "sub-job")}
              </Link>
            </>
          )}
        </span>
        {buttons}
      </div>
      {outcome}
      {why.error && (
        <ErrorNotice
          error={why.error}
          onRetry={() => {
            why.refetch();
          }}
        />
      )}
      {why.data ? (
        <Summary why={why.data} job={job} warnings={isOver ? warnings : []} />
      ) : (
        !why.error && <Loading rows={2} />
      )}
      <div className="cols job-cols">
        <div className="col job-col">
          {isBulk && <BulkPanel id={job.id} />}
          <Ledger job={job} past={past} executions={executions} />
          {job.error ? (
            <ErrorPanel error={job.error} group={job.failure_group ?? null} />
          ) : (
            <PreviousError error={previousError(past.data ?? [], job.status)} />
          )}
          {!isBulk && <JobLog jobId={job.id} search={search} />}
        </div>
        <div className="col job-col">
          <Related job={job} previous={why.data?.previous_job_id ?? null} />
          <Payload job={job} />
          <Result job={job} />
          <JobFacts job={job} />
        </div>
      </div>
      {dialogs}
    </>
  );
}

/** What happened: the executions over time, with the one that counts, and each event. */
function Ledger({
  job,
  past,
  executions,
}: {
  job: Job;
  past: Query<HistoryEntry[]>;
  executions: readonly Execution[];
}) {
  const { began, count: counting } = ledgerOf(executions);
  const several = began > 1;
  return (
    <Panel
      title="What happened"
      sub={
        past.data &&
        (began === 0
          ? plural(past.data.length, "event")
          : `${plural(began, "execution")}, ${counting === 0 ? "the next one counts" : counting === 1 ? "1 counts for its status" : `${counting} count for its status`}`)
      }
      actions={
        several && (
          <span className="legend hide-s" aria-hidden="true">
            <Key fill="f-wait" name="waits" />
            {executions.some((each) => each.counts && each.outcome === "retrying") && (
              <Key fill="f-retrying" name="to be retried" />
            )}
            <Key
              fill="f-ghost"
              name={
                executions.some(({ isPast }) => isPast)
                  ? "outlined: an earlier run, or does not count"
                  : "outlined: does not count"
              }
            />
          </span>
        )
      }
    >
      <Answered query={past}>
        {(entries) => (
          <>
            {executions.length > 0 && (
              <ExecutionChart
                executions={executions}
                from={Date.parse(job.created_at)}
                openSubJobs={openSubJobs(job)}
              />
            )}
            <Timeline entries={entries} several={several} isParent={job.sub_job_counts != null} />
          </>
        )}
      </Answered>
    </Panel>
  );
}

function Key({ fill, name }: { fill: string; name: string }) {
  return (
    <span>
      <svg className="k" aria-hidden="true">
        <rect x=".5" y=".5" width="17" height="7" className={fill} />
      </svg>
      {name}
    </span>
  );
}

function Heading({ name, id }: { name: string; id: string }) {
  return (
    <>
      <Link to="/jobs" className="btn ghost crumb">
        Jobs
      </Link>
      <span className="ink-3" aria-hidden="true">
        /
      </span>
      <h1 className="cut job-title">{name}</h1>
      <span className="row hide-s mono t-12 ink-3 job-id">
        <span className="cut">{id}</span>
        <CopyButton text={id} label="Copy the ID" iconOnly />
      </span>
    </>
  );
}
