import { type ReactNode, useId } from "react";
import "./form.css";

interface FieldProps {
  label: string;
  hint?: ReactNode;
  /** The control: it takes the id, and names the hint. */
  children: (control: { id: string; "aria-describedby": string | undefined }) => ReactNode;
}

/** A control of a form, with its label above it and what has to be known below it. */
export function Field({ label, hint, children }: FieldProps) {
  const id = useId();
  const hintId = hint === undefined ? undefined : `${id}-hint`;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({ id, "aria-describedby": hintId })}
      {hint !== undefined && (
        <span className="hint" id={hintId}>
          {hint}
        </span>
      )}
    </div>
  );
}

interface TextProps {
  label: string;
  hint?: ReactNode;
  value: string;
  onChange: (value: string) => void;
  placeholder?: string;
  isRequired?: boolean;
  maxLength?: number;
  /** More than one: it is a text of lines. */
  rows?: number;
}

/** A text, of one line or more. */
export function TextField({ label, hint, value, onChange, isRequired, rows = 1, ...more }: TextProps) {
  return (
    <Field label={label} hint={hint}>
      {(control) => {
        const shared = {
          ...control,
          ...more,
          className: "input",
          autoComplete: "off",
          spellCheck: false,
          required: isRequired,
          value,
          onChange: (event: { target: { value: string } }) => {
            onChange(event.target.value);
          },
        };
        return rows > 1 ? <textarea rows={rows} {...shared} /> : <input {...shared} />;
      }}
    </Field>
  );
}

/** The lines of a text, each once, without empty ones. */
export function linesOf(text: string): string[] {
  return [
    ...new Set(
      text
        .split("\n")
        .map((line) => line.trim())
        .filter((line) => line !== ""),
    ),
  ];
}

interface SelectProps<Value extends string> {
  label: string;
  hint?: ReactNode;
  value: Value;
  options: readonly (readonly [value: Value, text: string])[];
  onChange: (value: Value) => void;
}

/** One of a few values. */
export function SelectField<Value extends string>({
  label,
  hint,
  value,
  options,
  onChange,
}: SelectProps<Value>) {
  return (
    <Field label={label} hint={hint}>
      {(control) => (
        <select
          {...control}
          className="input"
          value={value}
          onChange={(event) => {
            const chosen = options.find(([each]) => each === event.target.value);
            if (chosen) onChange(chosen[0]);
          }}
        >
          {options.map(([each, text]) => (
            <option key={each} value={each}>
              {text}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
