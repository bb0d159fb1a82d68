/** Lists, and entries whose names are not fixed. */
import { useState } from "react";
import { Icon } from "@/components/Icon";
import { FormContext, useForm } from "./context";
import { type Draft, NOTHING_YET, type Path } from "./draft";
import { Absent, Frame } from "./Frame";
import type { FieldProps } from "./Labelled";
import { SchemaField } from "./nested";
import { blank, fieldOf } from "./schema";

/** An entry beside the properties; also one that the schema does not have, so that it is seen and can be removed. */
export function Entry({
  name,
  field,
  path,
  value,
}: { name: string } & Pick<FieldProps, "field" | "path" | "value">) {
  const form = useForm();
  const { remove } = form;
  // Emptied while one types: it stays, and says so.
  const change = (at: Path, next: Draft | undefined) => {
    form.change(at, at.length > path.length + 1 ? next : (next ?? NOTHING_YET));
  };
  return (
    <div className="row top entry">
      <FormContext value={{ ...form, change }}>
        <div className="grow">
          <SchemaField
            label={name}
            schema={field.entries === true ? {} : (field.entries ?? {})}
            path={[...path, name]}
            value={value}
            isRequired={false}
          />
        </div>
      </FormContext>
      <button
        type="button"
        className="btn ghost small"
        aria-label={`Remove ${name}`}
        onClick={() => {
          remove([...path, name]);
        }}
      >
        <Icon name="cross" size={12} />
      </button>
    </div>
  );
}

export function AddEntry({
  field,
  path,
  given,
}: Pick<FieldProps, "field" | "path"> & { given: { [name: string]: Draft } }) {
  const { change, root, idOf } = useForm();
  const [name, setName] = useState("");
  const isTaken = Object.hasOwn(given, name);

  function add(): void {
    if (name === "" || isTaken) return;
    const kind = fieldOf(field.entries, root).kind;
    change([...path, name], blank(field.entries, root) ?? (kind === "list" ? [] : NOTHING_YET));
    focusSoon(idOf([...path, name]));
    setName("");
  }

  return (
    <div className="row">
      <input
        className="input grow"
        aria-label="Name of a new entry"
        placeholder="Name of a new entry"
        value={name}
        onChange={(event) => {
          setName(event.target.value);
        }}
        onKeyDown={(event) => {
          if (event.key !== "Enter") return;
          event.preventDefault();
          add();
        }}
      />
      <button type="button" className="btn small" disabled={name === "" || isTaken} onClick={add}>
        <Icon name="plus" size={12} /> Add
      </button>
    </div>
  );
}

export function ListField(props: FieldProps) {
  const { field, path, value, isRequired, label } = props;
  const { change, remove, root, idOf } = useForm();
  const items = Array.isArray(value) ? value : [];
  const [keys, setKeys] = useState<readonly number[]>([]);
  // A key for each item, which it keeps when one before it goes.
  const keyOf = (place: number) => keys[place] ?? place + 1_000_000;

  function add(): void {
    const kind = fieldOf(field.items, root).kind;
    const first = blank(field.items, root) ?? (kind === "list" ? [] : NOTHING_YET);
    setKeys([...items.map((_, place) => keyOf(place)), Date.now()]);
    change([...path, items.length], first);
    focusSoon(idOf([...path, items.length]));
  }

  if (items.length === 0) return <Absent {...props} onAdd={add} />;
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
      {items.map((item, place) => (
        <div key={keyOf(place)} className="row top entry">
          <div className="grow">
            <SchemaField
              label={`${label} ${place + 1}`}
              schema={field.items}
              path={[...path, place]}
              value={item}
              isRequired
            />
          </div>
          <button
            type="button"
            className="btn ghost small"
            aria-label={`Remove ${label} ${place + 1}`}
            onClick={() => {
              setKeys(items.map((_, each) => keyOf(each)).filter((_, each) => each !== place));
              remove([...path, place]);
            }}
          >
            <Icon name="cross" size={12} />
          </button>
        </div>
      ))}
      <button type="button" className="btn small add" onClick={add}>
        <Icon name="plus" size={12} /> Add one more
      </button>
    </Frame>
  );
}

/** After what was added is drawn. */
function focusSoon(id: string): void {
  requestAnimationFrame(() => {
    document.getElementById(id)?.focus();
  });
}
