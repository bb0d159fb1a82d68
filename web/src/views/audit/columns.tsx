import { Link } from "@tanstack/react-router";
import type { AuditEntry } from "@/api/admin";
import type { Column } from "@/components/Grid";
import { Time } from "@/components/Time";
import { count, shortId, UNKNOWN } from "@/format/format";
import { jobOf } from "./entries";
import type { Outcome } from "./search";

const LOOKS: Readonly<Record<Outcome, string>> = {
  done: "ink-2",
  refused: "m",
  failed: "failed m",
  unknown: "dim",
};

/** What became of a change, with the status of the answer. */
export function OutcomeLabel({ entry: { outcome, status } }: { entry: AuditEntry }) {
  return (
    <span className={LOOKS[outcome]}>
      {outcome} {status != null && <span className="dim">{status}</span>}
    </span>
  );
}

/** What was changed: a job is a link to it. */
export function Target({ entry, isShort = false }: { entry: AuditEntry; isShort?: boolean }) {
  const { target } = entry;
  if (target == null) return null;
  const job = jobOf(entry);
  const shown = isShort && /^[0-9a-f]{8}-/.test(target) ? shortId(target) : target;
  if (job === null)
    return (
      <span className="mono t-12" title={target}>
        {shown}
      </span>
    );
  return (
    <Link
      to="/jobs/$jobId"
      params={{ jobId: job }}
      className="mono t-12"
      title={`The job ${target}`}
      tabIndex={isShort ? -1 : undefined} // Enter opens the row, which has it, too
    >
      {shown}
    </Link>
  );
}

export const COLUMNS: readonly Column<AuditEntry>[] = [
  {
    id: "time",
    title: "Time",
    width: "96px",
    cell: ({ at }) => <Time at={at} />,
  },
  {
    id: "who",
    title: "Who",
    width: "minmax(110px, 0.8fr)",
    cell: ({ principal }) => <span className="name">{principal ?? "nobody known"}</span>,
  },
  {
    id: "action",
    title: "Action",
    width: "minmax(130px, 0.8fr)",
    cell: ({ action }) => <span className="mono t-12">{action}</span>,
  },
  {
    id: "target",
    title: "Target",
    width: "minmax(120px, 1fr)",
    cell: (entry) => <Target entry={entry} isShort />,
  },
  {
    id: "count",
    title: "Count",
    width: "60px",
    align: "right",
    cell: (entry) => entry.count != null && count(entry.count),
  },
  { id: "outcome", title: "Outcome", width: "104px", cell: (entry) => <OutcomeLabel entry={entry} /> },
  {
    id: "from",
    title: "From",
    width: "120px",
    wide: true,
    cell: ({ via, peer }) => <span className="dim">{via === "cli" ? "a command" : (peer ?? UNKNOWN)}</span>,
  },
];
