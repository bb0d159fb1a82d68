import type { Schemas } from "@/api/types";
import type { Column } from "@/components/Grid";
import { Table } from "@/components/Table";
import { count } from "@/format/format";
import { aboutFlaw } from "./flaws";

type Group = Schemas["DifferenceGroup"];

const COLUMNS: readonly Column<Group>[] = [
  {
    id: "flaw",
    title: "Differs",
    width: "92px",
    cell: ({ flaw, count: all, repaired }) => (
      <span className={repaired === all ? "completed m" : "failed b"}>{flaw.replaceAll("_", " ")}</span>
    ),
  },
  { id: "where", title: "Where", width: "minmax(110px, 0.8fr)", cell: ({ where }) => <code>{where}</code> },
  { id: "count", title: "Count", width: "56px", align: "right", cell: (group) => count(group.count) },
  {
    id: "repaired",
    title: "Repaired",
    width: "64px",
    align: "right",
    cell: ({ repaired }) => count(repaired),
  },
  {
    id: "means",
    title: "What it means, and for example",
    width: "minmax(200px, 3fr)",
    cell: ({ flaw, examples }) => (
      <>
        <p>{aboutFlaw(flaw).means}</p>
        <ul className="examples ink-2">
          {examples.map((example) => (
            <li key={example}>
              <code>{example}</code>
            </li>
          ))}
        </ul>
      </>
    ),
  },
];

/** What differs from the records, by kind and place. */
export function Differences({ differences }: { differences: readonly Group[] }) {
  return (
    <Table
      label="Differences"
      className="fold differences"
      columns={COLUMNS}
      rows={differences}
      rowKey={({ flaw, where }) => `${flaw} ${where}`}
    />
  );
}
