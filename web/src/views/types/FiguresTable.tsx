import type { Schemas } from "@/api/types";
import type { Column } from "@/components/Grid";
import { Table } from "@/components/Table";
import { Time } from "@/components/Time";
import { count, duration, share } from "@/format/format";

interface Bucket {
  readonly at: string;
  readonly index: number;
}

/** What the charts draw, as a table: for who does not see them, and for exact values. */
export function FiguresTable({
  at,
  columns,
}: {
  at: readonly string[];
  columns: Schemas["PerformanceColumns"];
}) {
  const time = (id: string, title: string, values: readonly (number | null)[]): Column<Bucket> => ({
    id,
    title,
    width: "minmax(56px, 1fr)",
    align: "right",
    cell: ({ index }) => duration(values[index]),
  });
  const buckets = at
    .map((each, index) => ({ at: each, index }))
    .filter(({ index }) => (columns.count[index] ?? 0) > 0)
    .reverse();
  return (
    <details className="chart-table">
      <summary>The same as a table</summary>
      <Table
        label="Figures over time"
        className="fold"
        rows={buckets}
        rowKey={(bucket) => bucket.at}
        empty={<p className="pb ink-3 t-12">No job ended in this time.</p>}
        columns={[
          { id: "at", title: "From", width: "96px", cell: (bucket) => <Time at={bucket.at} /> },
          {
            id: "count",
            title: "Runs",
            width: "56px",
            align: "right",
            cell: ({ index }) => count(columns.count[index]),
          },
          {
            id: "success",
            title: "Success",
            width: "64px",
            align: "right",
            cell: ({ index }) => share(columns.success_rate[index]),
          },
          time("run50", "Run p50", columns.run_p50_s),
          time("run95", "Run p95", columns.run_p95_s),
          time("run99", "Run p99", columns.run_p99_s),
          time("wait50", "Wait p50", columns.wait_p50_s),
          time("wait95", "Wait p95", columns.wait_p95_s),
          time("wait99", "Wait p99", columns.wait_p99_s),
        ]}
      />
    </details>
  );
}
