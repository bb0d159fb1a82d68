/** Fields that have fields in them, and the choice of the right one for a schema. */
import { useState } from "react";
import { optionOf } from "./check";
import { AddEntry, Entry, ListField } from "./collections";
import { useForm } from "./context";
import { isObject, NOTHING_YET, Unreadable } from "./draft";
import { Absent, Frame } from "./Frame";
import { type FieldProps, useDescription } from "./Labelled";
import { blank, fieldOf, nameOf, objectOf, type Property } from "./schema";
import {
  BooleanField,
  ChoiceField,
  ConstantField,
  DateField,
  JsonField,
  NumberField,
  TextField,
} from "./simple";

interface SchemaFieldProps extends Omit<FieldProps, "field"> {
  schema: unknown;
}

const SIMPLE = {
  text: TextField,
  date: DateField,
  datetime: DateField,
  integer: NumberField,
  number: NumberField,
  boolean: BooleanField,
  choice: ChoiceField,
  constant: ConstantField,
  json: JsonField,
} as const;

/** The field of any schema. A value that its control can't show is edited as JSON. */
export function SchemaField({ schema, ...rest }: SchemaFieldProps) {
  const { root } = useForm();
  const field = fieldOf(schema, root);
  const props = { ...rest, field };
  const { kind } = field;
  const isOdd =
    rest.value != null &&
    ((kind === "object" && !isObject(rest.value)) || (kind === "list" && !Array.isArray(rest.value)));
  if (isOdd) return <JsonField {...props} />;
  if (kind === "object") return <ObjectField {...props} />;
  if (kind === "list") return <ListField {...props} />;
  if (kind === "union") return <UnionField {...props} />;
  const Simple = SIMPLE[kind];
  return <Simple {...props} />;
}

export function ObjectField(props: FieldProps) {
  const { path, value, isRequired, field } = props;
  const { change, root } = useForm();
  if (value == null && path.length > 0)
    return (
      <Absent
        {...props}
        onAdd={() => {
          change(path, blank(field.schema, root) ?? {});
        }}
      />
    );
  return (
    <Frame
      {...props}
      onRemove={
        isRequired
          ? undefined
          : () => {
              change(path, undefined);
            }
      }
    >
      <Properties {...props} />
    </Frame>
  );
}

/** The fields of an object, without a frame. */
export function Properties({ field, path, value }: Pick<FieldProps, "field" | "path" | "value">) {
  const given = isObject(value) ? value : {};
  const [chosen, setChosen] = useState<number | null>(null);
  const { change, idOf } = useForm();
  const { alternatives, properties } = field;
  const fitting = alternatives.findIndex((names) => names.every((name) => given[name] != null));
  const current = chosen ?? Math.max(0, fitting);
  const others = new Set(alternatives.flatMap((names, index) => (index === current ? [] : names)));
  for (const name of alternatives[current] ?? []) others.delete(name);
  const known = objectOf(field.schema.properties);

  /** Another alternative is meant: what belongs to the one before goes, for both are refused. */
  function choose(index: number): void {
    setChosen(index);
    const kept = new Set(alternatives[index]);
    const next = Object.entries(given).filter(
      ([name]) => kept.has(name) || !alternatives.some((names) => names.includes(name)),
    );
    change(path, Object.fromEntries(next));
  }

  const show = ({ name, schema, isRequired }: Property, isWanted: boolean) => (
    <SchemaField
      key={name}
      label={name}
      schema={schema}
      path={[...path, name]}
      value={given[name]}
      isRequired={isRequired || isWanted}
    />
  );
  const wanted = new Set(alternatives[current]);
  return (
    <>
      {alternatives.length > 0 && (
        <div className="field">
          <span className="label">Give one of these</span>
          <span className="seg radios" role="radiogroup" aria-label="Give one of these">
            {alternatives.map((names, index) => (
              <label key={names.join(" ")}>
                <input
                  type="radio"
                  name={`${idOf(path)}-alternative`}
                  checked={index === current}
                  onChange={() => {
                    choose(index);
                  }}
                />
                {names.join(" and ")}
              </label>
            ))}
          </span>
        </div>
      )}
      {[...properties]
        .filter(({ name }) => !others.has(name) || given[name] != null)
        .sort((one, two) => rank(two, wanted) - rank(one, wanted))
        .map((property) => show(property, wanted.has(property.name)))}
      {Object.keys(given)
        .filter((name) => !(name in known))
        .map((name) => (
          <Entry key={name} name={name} field={field} path={path} value={given[name]} />
        ))}
      {isObject(field.entries) && <AddEntry field={field} path={path} given={given} />}
    </>
  );
}

/** What has to be given stands first; all else stays in the order of the schema. */
function rank({ name, isRequired }: Property, wanted: ReadonlySet<string>): number {
  return isRequired || wanted.has(name) ? 1 : 0;
}

export function UnionField(props: FieldProps) {
  const { field, path, value, isRequired, label } = props;
  const { change, root } = useForm();
  const { control } = useDescription(props);
  const [chosen, setChosen] = useState<number | null>(null);
  const isBlank = value === undefined || (value instanceof Unreadable && value.text === "");
  const found = isBlank ? -1 : optionOf(value, field.options, root);
  const current = chosen ?? found;
  const option = field.options[current];
  const inner = option === undefined ? null : fieldOf(option, root);

  function choose(index: number): void {
    setChosen(index === -1 ? null : index);
    const next = field.options[index];
    change(
      path,
      next === undefined ? undefined : (blank(next, root) ?? (isRequired ? NOTHING_YET : undefined)),
    );
  }

  const isObjectNow = inner?.kind === "object" && !(value instanceof Unreadable);
  return (
    <Frame {...props} isShared={inner !== null && !isObjectNow}>
      <select
        className="input"
        aria-label={`Kind of ${label}`}
        aria-describedby={control["aria-describedby"]}
        value={current}
        onChange={(event) => {
          choose(Number(event.target.value));
        }}
      >
        <option value={-1}>{isRequired ? "choose a kind" : "not given"}</option>
        {field.options.map((each, index) => (
          <option key={index} value={index}>
            {nameOf(each, root)}
          </option>
        ))}
      </select>
      {inner === null ? null : isObjectNow ? (
        <Properties field={inner} path={path} value={value} />
      ) : (
        <SchemaField
          key={current}
          label={inner.title ?? "value"}
          schema={option}
          path={path}
          value={isBlank ? undefined : value}
          isRequired={isRequired}
        />
      )}
    </Frame>
  );
}
