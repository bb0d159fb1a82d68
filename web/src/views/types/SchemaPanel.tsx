import type { JobType } from "@/api/types";
import type { Column } from "@/components/Grid";
import { CopyButton } from "@/components/CopyButton";
import { Json } from "@/components/Json";
import { Panel } from "@/components/Panel";
import { Table } from "@/components/Table";
import { hintOf } from "./form/Labelled";
import { type Field, fieldOf, inWords, nameOf, type Property } from "./form/schema";

/** What a payload of the type may have, property by property; and the schema itself. */
export function SchemaPanel({ type }: { type: JobType }) {
  const schema: unknown = type.payload_schema;
  if (schema === null || schema === undefined)
    return (
      <Panel title="Payload">
        <p className="pb ink-2 t-12">
          It has no schema: any payload is taken, and what does not fit fails when the task runs. Declare one
          with the type of the task's arguments.
        </p>
      </Panel>
    );
  const field = fieldOf(schema, schema);
  return (
    <Panel
      title="Payload"
      actions={<CopyButton text={JSON.stringify(schema, null, 2)} label="Copy the schema" />}
      foot={ruleOf(field)}
    >
      {(type.description !== "" || field.description !== "") && (
        <p className="pb ink-2 t-12 lead">{type.description !== "" ? type.description : field.description}</p>
      )}
      <Table
        label="Properties of the payload"
        className="fold schema"
        columns={columnsOf(schema)}
        rows={field.properties}
        rowKey={({ name }) => name}
        empty={<p className="pb ink-2 t-12">{inWords(field, schema)}</p>}
      />
      <details className="chart-table">
        <summary>The JSON Schema</summary>
        <Json value={schema} />
      </details>
    </Panel>
  );
}

function ruleOf({ alternatives, schema }: Field): string | undefined {
  const rules = [
    alternatives.length > 0
      ? `Give one of ${alternatives.map((names) => names.join(" and ")).join(", ")}.`
      : "",
    schema.additionalProperties === false ? "Anything else is refused." : "",
  ].filter((rule) => rule !== "");
  return rules.length === 0 ? undefined : rules.join(" ");
}

function columnsOf(root: unknown): readonly Column<Property>[] {
  return [
    {
      id: "name",
      title: "Property",
      width: "minmax(110px, 0.8fr)",
      cell: ({ name, isRequired }) => (
        <>
          <code className="m">{name}</code> {isRequired && <span className="badge">required</span>}
        </>
      ),
    },
    {
      id: "kind",
      title: "Kind",
      width: "minmax(110px, 1fr)",
      cell: ({ schema }) => {
        const field = fieldOf(schema, root);
        const names =
          field.kind === "choice"
            ? field.values.map((value) => JSON.stringify(value)).join(", ")
            : field.options.map((option) => nameOf(option, root)).join(", ");
        return (
          <>
            {inWords(field, root)}
            {names !== "" && <span className="dim"> ({names})</span>}
          </>
        );
      },
    },
    {
      id: "about",
      title: "About",
      width: "minmax(160px, 2fr)",
      cell: ({ schema }) => <span className="ink-2">{hintOf(fieldOf(schema, root))}</span>,
    },
  ];
}
