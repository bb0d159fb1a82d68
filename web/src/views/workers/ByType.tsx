import type { WorkerFigures } from "@/api/fleet";
import type { Schemas } from "@/api/types";
import { Link } from "@tanstack/react-router";
import type { Column } from "@/components/Grid";
import { Panel } from "@/components/Panel";
import { Table } from "@/components/Table";
import { count, duration, plural, share, UNKNOWN } from "@/format/format";

interface Line extends Omit<Schemas["WorkerRunTimes"], "elsewhere"> {
  readonly type: string;
  readonly elsewhere: Schemas["RunTimes"] | null;
}

/** Whether a worker is slow: its run times by type, beside those on the other workers. */
export function ByType({ figures, report }: { figures: WorkerFigures; report: Schemas["WorkerReport"] }) {
  const rows = Object.entries(figures.by_type)
    .map(([type, times]): Line => ({ type, ...times, elsewhere: times.elsewhere ?? null }))
    .sort((one, two) => Number(two.is_slow) - Number(one.is_slow) || two.here.count - one.here.count);
  return (
    <Panel
      title={
        <>
          Run times on <code>{figures.name}</code>
        </>
      }
      sub={
        figures.slow_types.length > 0
          ? `slow at ${plural(figures.slow_types.length, "type")}`
          : report.tested === 0
            ? "too few jobs to compare"
            : "not slow at any type"
      }
      foot={`Slow: p50 at least 1.2 times that on the other workers, and the test of Mann and Whitney says so, corrected for the ${plural(report.tested, "comparison")} of all workers and types. By chance alone, any worker is called slow with at most ${share(report.level)}.`}
    >
      <Table
        label={`Run times on ${figures.name}`}
        className="fold"
        columns={COLUMNS}
        rows={rows}
        rowKey={({ type }) => type}
        empty={<p className="pb ink-2 t-12">No job has completed here in this time.</p>}
      />
    </Panel>
  );
}

const COLUMNS: readonly Column<Line>[] = [
  {
    id: "type",
    title: "Type",
    width: "minmax(140px, 1.4fr)",
    cell: ({ type }) => (
      <Link to="/types/$name" params={{ name: type }}>
        {type}
      </Link>
    ),
  },
  { id: "jobs", title: "Jobs here", width: "72px", align: "right", cell: ({ here }) => count(here.count) },
  { id: "p50", title: "p50 here", width: "76px", align: "right", cell: ({ here }) => duration(here.p50_s) },
  { id: "p95", title: "p95 here", width: "76px", align: "right", cell: ({ here }) => duration(here.p95_s) },
  {
    id: "others",
    title: "Jobs elsewhere",
    width: "92px",
    align: "right",
    cell: ({ elsewhere }) => count(elsewhere?.count),
  },
  {
    id: "others50",
    title: "p50 elsewhere",
    width: "88px",
    align: "right",
    cell: ({ elsewhere }) => duration(elsewhere?.p50_s),
  },
  {
    id: "others95",
    title: "p95 elsewhere",
    width: "88px",
    align: "right",
    cell: ({ elsewhere }) => duration(elsewhere?.p95_s),
  },
  {
    id: "word",
    title: "Compared",
    width: "minmax(170px, 1fr)",
    cell: (line) => <Verdict line={line} />,
  },
];

function Verdict({ line: { is_slow, p_value, elsewhere, here } }: { line: Line }) {
  if (elsewhere === null) return <span className="dim">no other worker ran any</span>;
  if (p_value == null) return <span className="dim">too few: 20 on each side</span>;
  const times = elsewhere.p50_s > 0 ? `${(here.p50_s / elsewhere.p50_s).toFixed(1)} times` : UNKNOWN;
  return (
    <span className={is_slow ? "retrying b" : ""}>
      {is_slow ? "slow" : "not slow"}: {times} <span className="dim">p {pText(p_value)}</span>
    </span>
  );
}

function pText(p: number): string {
  return p < 0.001 ? "< 0.001" : p.toFixed(3);
}
