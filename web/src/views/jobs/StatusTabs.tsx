import { STATUSES } from "@/api/types";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { stats } from "@/api/queries";
import { StatusIcon } from "@/components/Icon";
import { parse, valueOf, withQualifier } from "@/filter/filter";
import { count } from "@/format/format";
import type { JobsSearch } from "./route";

/** A link is current only if its filter is. */
const EXACT = { exact: true, includeSearch: true };

/** The list by status. The counts are of all jobs, so they stand here while nothing else filters. */
export function StatusTabs({ search }: { search: JobsSearch }) {
  const { data } = useQuery(stats);
  const q = search.q ?? "";
  const chosen = valueOf(q, "status");
  const isPlain = parse(q).every((term) => term.key === "status");
  const to = (status: string | null): JobsSearch => ({
    ...search,
    q: withQualifier(q, "status", status) || undefined,
  });
  return (
    <nav className="seg" aria-label="Status">
      <Link
        to="/jobs"
        search={to(null)}
        activeOptions={EXACT}
        aria-current={chosen === null ? "true" : undefined}
      >
        All {isPlain && data ? count(data.total) : ""}
      </Link>
      {STATUSES.map((status) => (
        <Link
          key={status}
          to="/jobs"
          search={to(status)}
          activeOptions={EXACT}
          aria-current={chosen === status ? "true" : undefined}
          title={status}
        >
          <span className="row status-tab">
            <StatusIcon status={status} />
            <span className={isPlain ? "sr" : ""}>{status}</span>
            {isPlain && count(data?.by_status[status])}
          </span>
        </Link>
      ))}
    </nav>
  );
}
