import type { ReactNode } from "react";
import { Icon } from "@/components/Icon";
import { useForm } from "./context";
import { Below, type FieldProps, hintOf, useDescription } from "./Labelled";
import { inWords } from "./schema";

/** A frame around the fields of a value, with a button that takes the value away. */
export function Frame({
  label,
  field,
  path,
  isRequired,
  onRemove,
  isShared = false,
  children,
}: FieldProps & {
  onRemove?: () => void;
  /** A field inside stands for the same value: it has the id, and says what is wrong. */
  isShared?: boolean;
  children: ReactNode;
}) {
  const { root } = useForm();
  const { control } = useDescription({ field, path });
  return (
    <fieldset className="nested" {...(isShared ? {} : control)} tabIndex={-1}>
      <legend>
        {label} <span className="type">{`${inWords(field, root)}${isRequired ? ", required" : ""}`}</span>
      </legend>
      {onRemove && (
        <button
          type="button"
          className="btn ghost small remove"
          aria-label={`Remove ${label}`}
          onClick={onRemove}
        >
          <Icon name="cross" size={12} />
        </button>
      )}
      {isShared ? <p className="hint">{hintOf(field)}</p> : <Below field={field} path={path} />}
      {children}
    </fieldset>
  );
}

/** A value that is not there, and a button that makes it. */
export function Absent(props: FieldProps & { onAdd: () => void }) {
  const { label, field, path, isRequired, onAdd } = props;
  const { root } = useForm();
  const { control } = useDescription(props);
  return (
    <div className="field">
      <span className="label">
        {label} <span className="type">{`${inWords(field, root)}${isRequired ? ", required" : ""}`}</span>
      </span>
      <button type="button" className="btn small add" {...control} onClick={onAdd}>
        <Icon name="plus" size={12} /> Add {label}
      </button>
      <Below field={field} path={path} />
    </div>
  );
}
