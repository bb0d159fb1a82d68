/** The rows of the list of types: what workers announce, joined with the figures of a window. */
import type { JobType, Schemas } from "@/api/types";

type Performance = Schemas["Performance"];

export interface TypeRow {
  readonly name: string;
  /** Null: there are jobs of it, and no worker announces it now. */
  readonly type: JobType | null;
  /** Null: none of its jobs ended in the window. */
  readonly figures: Performance | null;
  /** Jobs that are stored; null: not known yet. */
  readonly jobs: number | null;
}

const VALUES = {
  name: (row) => row.name,
  jobs: (row) => row.jobs,
  settled: (row) => row.figures?.count,
  success: (row) => row.figures?.success_rate,
  run50: (row) => row.figures?.run.p50_s,
  run95: (row) => row.figures?.run.p95_s,
  run99: (row) => row.figures?.run.p99_s,
  wait50: (row) => row.figures?.wait.p50_s,
  wait95: (row) => row.figures?.wait.p95_s,
  wait99: (row) => row.figures?.wait.p99_s,
  redelivered: (row) => row.figures?.redeliveries,
} as const satisfies Record<string, (row: TypeRow) => string | number | null | undefined>;

export function rowsOf(
  types: readonly JobType[],
  figures: Readonly<Record<string, Performance>>,
  jobs: Readonly<Record<string, number>> | undefined,
): TypeRow[] {
  const announced = new Map(types.map((type) => [type.name, type]));
  const stored = Object.keys(jobs ?? {}).filter((name) => (jobs?.[name] ?? 0) > 0);
  const names = new Set([...announced.keys(), ...Object.keys(figures), ...stored]);
  return [...names].map((name) => ({
    name,
    type: announced.get(name) ?? null,
    figures: figures[name] ?? null,
    jobs: jobs === undefined ? null : (jobs[name] ?? 0),
  }));
}

/** The rows whose name has a part, in an order: by the name of a column, with a minus the largest first. */
export function arranged(rows: readonly TypeRow[], part: string, sort: string): TypeRow[] {
  const isDown = sort.startsWith("-");
  const column = sort.replace(/^-/, "");
  const value = column in VALUES ? VALUES[column as keyof typeof VALUES] : VALUES.name;
  return rows
    .filter(({ name }) => name.toLowerCase().includes(part.toLowerCase()))
    .sort((one, two) => {
      const [a, b] = [value(one), value(two)];
      // What is not known stands last, in either direction.
      if (a == null || b == null)
        return Number(a == null) - Number(b == null) || one.name.localeCompare(two.name);
      const order =
        typeof a === "string" || typeof b === "string" ? String(a).localeCompare(String(b)) : a - b;
      return (isDown ? -order : order) || one.name.localeCompare(two.name);
    });
}
