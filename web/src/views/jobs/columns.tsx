import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { StatusIcon, StatusLabel } from "@/components/Icon";
import type { Column } from "@/components/Grid";
import { Time, useNow } from "@/components/Time";
import { count, duration, plural, shortId } from "@/format/format";
import { openSubJobs, ranSeconds, waitedSeconds } from "@/format/jobTimes";
import { WORDS } from "@/components/bulk/bulk";
import { usePending } from "@/components/bulk/pending";
import type { JobRow } from "./merging";
import { type Bounds, trackFor } from "./room";

interface JobColumn extends Column<JobRow> {
  readonly usual: boolean;
  /** Of a column of text: what it says of a row, about, and the bounds of its width. */
  readonly room?: Bounds & { readonly text: (job: JobRow) => string };
}

/** The columns of the list, in their order. `usual`: shown unless the viewer chooses others. */
const ALL: readonly JobColumn[] = [
  {
    id: "status",
    title: "Status",
    width: "96px",
    usual: true,
    cell: (job) => <StatusCell job={job} />,
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
  {
    id: "type",
    title: "Type",
    width: "150px",
    room: { least: 90, most: 220, text: (job) => job.job_type },
    usual: true,
    cell: (job) => job.job_type,
  },
  {
    id: "queue",
    wide: true,
    title: "Queue",
    width: "72px",
    room: { least: 44, most: 150, text: (job) => job.queue ?? "" },
    usual: true,
    cell: (job) => <span className="dim">{job.queue}</span>,
  },
  {
    id: "worker",
    title: "Worker",
    width: "96px",
    room: { least: 50, most: 200, text: (job) => job.worker ?? "" },
    usual: true,
    cell: (job) => <span className="dim">{job.worker}</span>,
  },
  {
    id: "priority",
    wide: true,
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
  {
    id: "note",
    wide: true,
    title: "Note",
    width: "140px",
    room: { least: 70, most: 420, text: noteLike },
    usual: true,
    cell: (job) => <Note job={job} />,
  },
  {
    id: "attempts",
    wide: true,
    title: "Attempt",
    width: "52px",
    align: "right",
    usual: false,
    cell: (job) => count(job.attempt + 1),
  },
  {
    id: "tags",
    wide: true,
    title: "Tag",
    width: "64px",
    room: { least: 32, most: 180, text: (job) => job.tags.map((tag) => `${tag}  `).join("") },
    usual: true,
    cell: (job) => <Tags tags={job.tags} />,
  },
  {
    id: "changed",
    wide: true,
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

const USUAL = ALL.filter((each) => each.usual).map((each) => each.id);

/** All columns there are, for the menu. */
export const COLUMNS: readonly Pick<Column<JobRow>, "id" | "title">[] = ALL;
/** Without these a row says nothing. */
export const ALWAYS: readonly string[] = ["status", "job"];

/** The ids of the columns that the URL names, in its order; the usual ones if it names none. */
export function shownIds(given: string | undefined): readonly string[] {
  if (given === undefined) return USUAL;
  const named = [...new Set(given.split(","))].filter((id) => ALL.some((each) => each.id === id));
  return [...ALWAYS.filter((id) => !named.includes(id)), ...named];
}

/** The columns with these ids, in this order. Jobs are sorted by their last change only within one status. */
export function columnsOf(
  ids: readonly string[],
  hasStatus: boolean,
  rows: readonly JobRow[],
): readonly Column<JobRow>[] {
  return ids.flatMap((id) => {
    const found = ALL.find((each) => each.id === id);
    if (!found) return [];
    const { room } = found;
    const column = room ? { ...found, width: trackFor(rows.map(room.text), room) } : found;
    return column.sort === "status_changed_at" && !hasStatus ? { ...column, sort: undefined } : column;
  });
}

/** The `columns` of the URL for these; none for the usual ones. */
export function columnsParam(ids: readonly string[]): string | undefined {
  const text = ids.join(",");
  return text === USUAL.join(",") ? undefined : text;
}

/** The same ids, with one of them a place further. */
export function moved(ids: readonly string[], id: string, by: 1 | -1): readonly string[] {
  const from = ids.indexOf(id);
  const to = Math.max(0, Math.min(ids.length - 1, from + by));
  const others = ids.filter((each) => each !== id);
  return [...others.slice(0, to), id, ...others.slice(to)];
}

/** A status, or what this page is doing to the job until its record says so. */
function StatusCell({ job }: { job: JobRow }) {
  const mark = usePending(job);
  if (job.deleted || mark === "deleted") return <span className="dim">deleted</span>;
  if (mark === null) return <StatusLabel status={job.status} />;
  return (
    <span
      className="row st-pending"
      title={`It is ${job.status}; its record does not say anything else yet.`}
    >
      <StatusIcon status={job.status} />
      {WORDS[mark].doing.toLowerCase()}…
    </span>
  );
}

function Waited({ job }: { job: JobRow }) {
  return duration(waitedSeconds(job, useNow()));
}

function Ran({ job }: { job: JobRow }) {
  return duration(ranSeconds(job, useNow()));
}

/** A text that is about as long as the note. */
function noteLike(job: JobRow): string {
  if (job.status === "retrying") return `attempt 10 in 59m 00s: ${job.reason ?? ""}`;
  if (job.status === "pending") return job.not_before ? "due in 59m 00s" : "";
  if (job.status === "running") return openSubJobs(job) > 0 ? "meter waits for 100 sub-jobs" : "told to stop";
  return job.status === "completed" ? "" : (job.reason ?? "");
}

/** The one thing that has to be known of a row: how far it is, when it goes on, why it failed. */
function Note({ job }: { job: JobRow }): ReactNode {
  if (job.status === "running" && job.cancel_requested_at)
    return <span className="dim t-12">told to stop</span>;
  if (job.status === "running" && job.progress) {
    const { percent, note } = job.progress;
    const open = openSubJobs(job);
    return (
      <span className="row dim t-12" title={note}>
        <meter className="progress" min={0} max={100} value={percent} aria-label="Progress" />
        <span className="cut">
          {open > 0 ? `waits for ${plural(open, "sub-job")}` : `${Math.floor(percent)} %`}
        </span>
      </span>
    );
  }
  if (job.status === "retrying" || (job.status === "pending" && job.not_before)) {
    return (
      <span className="dim t-12" title={job.reason ?? undefined}>
        {job.status === "retrying" ? `attempt ${job.attempt + 2}` : "due"}{" "}
        {job.not_before && <Time at={job.not_before} as="ago" />}
        {job.status === "retrying" && job.reason && `: ${job.reason}`}
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
