import type { JobSummary } from "@/api/types";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { StatusLabel } from "@/components/Icon";
import type { Column } from "@/components/Grid";
import { Time, useNow } from "@/components/Time";
import { count, duration, secondsBetween, shortId, UNKNOWN } from "@/format/format";

/** The columns of the list, in their order. `usual`: shown unless the viewer chooses others. */
const ALL: readonly (Column<JobSummary> & { usual: boolean })[] = [
  {
    id: "status",
    title: "Status",
    width: "96px",
    usual: true,
    cell: (job) => <StatusLabel status={job.status} />,
  },
  {
    id: "job",
    title: "Job",
    width: "minmax(200px, 1fr)",
    usual: true,
    cell: (job) => (
      <span className="row">
        <Link to="/jobs/$jobId" params={{ jobId: job.id }} className="name cut plain" tabIndex={-1}>
          {job.name}
        </Link>
        <span className="mono t-11 dim hide-s">{shortId(job.id)}</span>
      </span>
    ),
  },
  { id: "type", title: "Type", width: "150px", usual: true, cell: (job) => job.job_type },
  {
    id: "queue",
    title: "Queue",
    width: "72px",
    usual: true,
    cell: (job) => <span className="dim">{job.queue}</span>,
  },
  {
    id: "worker",
    title: "Worker",
    width: "96px",
    usual: true,
    cell: (job) => <span className="dim">{job.worker}</span>,
  },
  {
    id: "priority",
    title: "Priority",
    width: "62px",
    usual: false,
    cell: (job) => <span className="dim">{job.priority}</span>,
  },
  {
    id: "waited",
    title: "Waited",
    width: "62px",
    align: "right",
    usual: true,
    cell: (job) => <Waited job={job} />,
  },
  { id: "ran", title: "Ran", width: "62px", align: "right", usual: true, cell: (job) => <Ran job={job} /> },
  { id: "note", title: "Note", width: "140px", usual: true, cell: (job) => <Note job={job} /> },
  {
    id: "attempts",
    title: "Attempt",
    width: "52px",
    align: "right",
    usual: false,
    cell: (job) => count(job.attempt + 1),
  },
  { id: "tags", title: "Tag", width: "64px", usual: true, cell: (job) => <Tags tags={job.tags} /> },
  {
    id: "changed",
    title: "Changed",
    width: "84px",
    align: "right",
    sort: "status_changed_at",
    usual: false,
    cell: (job) => (
      <span className="dim">
        <Time at={job.status_changed_at} />
      </span>
    ),
  },
  {
    id: "created",
    title: "Created",
    width: "84px",
    align: "right",
    sort: "created_at",
    usual: true,
    cell: (job) => (
      <span className="dim">
        <Time at={job.created_at} />
      </span>
    ),
  },
];

/** All columns there are, for the menu. */
export const COLUMNS: readonly Pick<Column<JobSummary>, "id" | "title">[] = ALL;

/** The ids of the columns that the URL names; the usual ones if it names none. */
export function shownIds(given: string | undefined): readonly string[] {
  return given === undefined ? ALL.filter((each) => each.usual).map((each) => each.id) : given.split(",");
}

/** The columns with these ids. What is no column is left out; status and job are always there. */
export function columnsOf(ids: readonly string[]): readonly Column<JobSummary>[] {
  return ALL.filter((each) => ids.includes(each.id) || each.id === "status" || each.id === "job");
}

/** The `columns` of the URL for these; none for the usual ones. */
export function columnsParam(ids: readonly string[]): string | undefined {
  const text = ALL.filter((each) => ids.includes(each.id))
    .map((each) => each.id)
    .join(",");
  return text === shownIds(undefined).join(",") ? undefined : text;
}

function Waited({ job }: { job: JobSummary }) {
  const now = useNow();
  if (job.queued_at == null) return UNKNOWN;
  if (job.started_at != null) return duration(secondsBetween(job.queued_at, job.started_at));
  const end = job.finished_at ?? new Date(now).toISOString();
  return duration(secondsBetween(job.queued_at, end));
}

function Ran({ job }: { job: JobSummary }) {
  const now = useNow();
  if (job.started_at == null) return UNKNOWN;
  return duration(secondsBetween(job.started_at, job.finished_at ?? new Date(now).toISOString()));
}

/** The one thing that has to be known of a row: how far it is, when it goes on, why it failed. */
function Note({ job }: { job: JobSummary }): ReactNode {
  if (job.status === "running" && job.cancel_requested_at)
    return <span className="dim t-12">told to stop</span>;
  if (job.status === "running" && job.progress) {
    const { percent, note } = job.progress;
    return (
      <span className="row dim t-12" title={note}>
        <meter className="progress" min={0} max={100} value={percent} aria-label="Progress" />
        {Math.floor(percent)} %
      </span>
    );
  }
  if (job.status === "retrying" || (job.status === "pending" && job.not_before)) {
    return (
      <span className="dim t-12">
        {job.status === "retrying" ? `attempt ${job.attempt + 1}` : "due"}{" "}
        {job.not_before && <Time at={job.not_before} as="ago" />}
      </span>
    );
  }
  const { reason } = job;
  return reason && job.status !== "completed" ? (
    <span className="dim t-12" title={reason}>
      {reason}
    </span>
  ) : null;
}

function Tags({ tags }: { tags: readonly string[] }) {
  return tags.map((tag) => (
    <Link
      key={tag}
      to="/jobs"
      search={{ q: `tag:${/\s/.test(tag) ? `"${tag}"` : tag}` }}
      className="tag"
      tabIndex={-1}
    >
      {tag}
    </Link>
  ));
}
