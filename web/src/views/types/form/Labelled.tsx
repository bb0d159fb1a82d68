import type { ReactNode } from "react";
import { Icon } from "@/components/Icon";
import { useForm } from "./context";
import type { Draft, Json, Path } from "./draft";
import { type Field, inWords } from "./schema";

export interface FieldProps {
  /** The name of the property; of an item, its number. */
  label: string;
  field: Field;
  path: Path;
  value: Draft | undefined;
  isRequired: boolean;
}

/** What stands below a control and belongs to it, for screen readers. */
export function useDescription({ field, path }: Pick<FieldProps, "field" | "path">) {
  const { idOf, problemAt } = useForm();
  const id = idOf(path);
  const problem = problemAt(path);
  const parts = [hintOf(field) === "" ? null : `${id}-hint`, problem === undefined ? null : `${id}-problem`];
  const describedBy = parts.filter((part) => part !== null).join(" ");
  return {
    id,
    problem,
    control: {
      id,
      "aria-describedby": describedBy === "" ? undefined : describedBy,
      "aria-invalid": problem === undefined ? undefined : true,
    },
  };
}

/** A control with its label, its description, and what is wrong with it. */
export function Labelled({
  label,
  field,
  path,
  value,
  isRequired,
  children,
}: FieldProps & { children: ReactNode }) {
  const { root, change } = useForm();
  const { id } = useDescription({ field, path });
  // Where null is what is taken anyway, leaving it empty says the same.
  const mayBeNull =
    field.isNullable &&
    field.kind !== "json" &&
    field.fallback !== null &&
    (isRequired || field.fallback !== undefined);
  return (
    <div className="field">
      <label htmlFor={id}>
        {label} <span className="type">{`${inWords(field, root)}${isRequired ? ", required" : ""}`}</span>
      </label>
      {value === null && mayBeNull ? (
        <code className="input" id={id} tabIndex={-1}>
          null
        </code>
      ) : (
        children
      )}
      {mayBeNull && (
        <label className="row t-12 null">
          <input
            type="checkbox"
            className="check"
            checked={value === null}
            onChange={(event) => {
              change(path, event.target.checked ? null : undefined);
            }}
          />
          null
        </label>
      )}
      <Below field={field} path={path} />
    </div>
  );
}

/** The description of a field and its problem, each with the id by which the control names it. */
export function Below({ field, path }: Pick<FieldProps, "field" | "path">) {
  const { id, problem } = useDescription({ field, path });
  const hint = hintOf(field);
  return (
    <>
      {problem !== undefined && (
        <p className="err" id={`${id}-problem`}>
          <Icon name="alert" size={12} />
          {problem}
        </p>
      )}
      {hint !== "" && (
        <p className="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </>
  );
}

/** What is said of a field: its description, what is taken without it, an example. */
export function hintOf({ description, fallback, examples, kind }: Field): string {
  const [example] = examples;
  return [
    description,
    fallback === undefined || fallback === null || kind === "constant" ? "" : `Default: ${shown(fallback)}.`,
    example === undefined ? "" : `For example ${shown(example)}.`,
  ]
    .filter((part) => part !== "")
    .map((part) => (/[.!?)]$/.test(part) ? part : `${part}.`))
    .join(" ");
}

export function shown(value: Json): string {
  return typeof value === "string" && value !== "" ? value : JSON.stringify(value);
}
