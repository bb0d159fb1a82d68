/** Fields of one value. */
import { useState } from "react";
import { useForm } from "./context";
import { type Draft, jsonOf, numberOf, Unreadable } from "./draft";
import { type FieldProps, Labelled, shown, useDescription } from "./Labelled";

const LONG = 200;

/** Text as it stands in its control: also one that can't be read, or that is of another kind. */
function textOf(value: Draft | undefined): string {
  if (value === undefined || value === null) return "";
  if (value instanceof Unreadable) return value.text;
  return typeof value === "string" ? value : JSON.stringify(value);
}

export function TextField(props: FieldProps) {
  const { field, path, value, isRequired } = props;
  const { change, leave } = useForm();
  const { control, problem } = useDescription(props);
  const { maxLength, pattern, format } = field.schema;
  const isShort =
    (typeof maxLength === "number" && maxLength <= LONG) || pattern !== undefined || format !== undefined;
  const shared = {
    ...control,
    className: `input ${problem === undefined ? "" : "bad"}`,
    "aria-required": isRequired,
    value: textOf(value),
    placeholder: typeof field.fallback === "string" ? field.fallback : undefined,
    onBlur: () => {
      leave(path);
    },
    onChange: (event: { target: { value: string } }) => {
      change(path, event.target.value === "" ? undefined : event.target.value);
    },
  };
  return (
    <Labelled {...props}>{isShort ? <input {...shared} /> : <textarea rows={1} {...shared} />}</Labelled>
  );
}

export function NumberField(props: FieldProps) {
  const { field, path, value, isRequired } = props;
  const { change, leave } = useForm();
  const { control, problem } = useDescription(props);
  const [typed, setTyped] = useState(() => textOf(value));
  // What was typed stays while it means the value: 1.50, 1e3.
  const read = numberOf(typed, field.kind === "integer");
  const text =
    read === value || (value instanceof Unreadable && value.text === typed) ? typed : textOf(value);
  return (
    <Labelled {...props}>
      <input
        {...control}
        className={`input ${problem === undefined ? "" : "bad"}`}
        inputMode={field.kind === "integer" ? "numeric" : "decimal"}
        autoComplete="off"
        aria-required={isRequired}
        placeholder={typeof field.fallback === "number" ? String(field.fallback) : undefined}
        value={text}
        onBlur={() => {
          leave(path);
        }}
        onChange={(event) => {
          setTyped(event.target.value);
          change(path, numberOf(event.target.value, field.kind === "integer"));
        }}
      />
    </Labelled>
  );
}

/** A day, or a moment in the viewer's zone. A value that the browser's control can't show is text. */
export function DateField(props: FieldProps) {
  const { field, path, value, isRequired } = props;
  const { change, leave } = useForm();
  const { control, problem } = useDescription(props);
  const isDay = field.kind === "date";
  const local = isDay ? textOf(value) : localTime(textOf(value));
  if (value != null && (local === null || (isDay && !/^\d{4}-\d\d-\d\d$/.test(local))))
    return <TextField {...props} />;
  return (
    <Labelled {...props}>
      <input
        {...control}
        type={isDay ? "date" : "datetime-local"}
        step={isDay ? undefined : 1}
        className={`input ${problem === undefined ? "" : "bad"}`}
        aria-required={isRequired}
        value={local ?? ""}
        onBlur={() => {
          leave(path);
        }}
        onChange={(event) => {
          const typed = event.target.value;
          change(path, typed === "" ? undefined : isDay ? typed : new Date(typed).toISOString());
        }}
      />
    </Labelled>
  );
}

function localTime(value: string): string | null {
  if (value === "") return "";
  const at = new Date(value);
  if (Number.isNaN(at.getTime())) return null;
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

export function BooleanField(props: FieldProps) {
  const { field, path, value } = props;
  const { change, leave } = useForm();
  const { control } = useDescription(props);
  if (
    typeof field.fallback === "boolean" &&
    !field.isNullable &&
    (value === undefined || typeof value === "boolean")
  )
    return (
      <Labelled {...props}>
        <span className="row">
          <input
            {...control}
            type="checkbox"
            className="check"
            checked={value ?? field.fallback}
            onChange={(event) => {
              change(path, event.target.checked);
            }}
          />
          {(value ?? field.fallback) ? "on" : "off"}
        </span>
      </Labelled>
    );
  return (
    <Labelled {...props}>
      <select
        {...control}
        className="input"
        aria-required={props.isRequired}
        value={value === undefined ? "" : JSON.stringify(value)}
        onBlur={() => {
          leave(path);
        }}
        onChange={(event) => {
          change(path, event.target.value === "" ? undefined : event.target.value === "true");
        }}
      >
        <option value="">not given</option>
        <option value="true">true</option>
        <option value="false">false</option>
      </select>
    </Labelled>
  );
}

/** So many values stand beside each other; more are a list. */
const MOST_BESIDE = 4;
const MOST_CHARS = 36;

export function ChoiceField(props: FieldProps) {
  const { field, path, value, isRequired } = props;
  const { change, leave } = useForm();
  const { id, control, problem } = useDescription(props);
  const texts = field.values.map(shown);
  const current = value ?? field.fallback;
  const isShort = texts.length <= MOST_BESIDE && texts.join("").length <= MOST_CHARS;
  const chosen = current === undefined ? -1 : texts.indexOf(shown(current as never));
  if (isShort && (isRequired || field.fallback != null))
    return (
      <Labelled {...props}>
        <span className="seg radios" role="radiogroup" aria-label={props.label}>
          {texts.map((text, index) => (
            <label key={text}>
              <input
                type="radio"
                name={id}
                {...(index === Math.max(0, chosen) ? control : {})}
                checked={index === chosen}
                onBlur={() => {
                  leave(path);
                }}
                onChange={() => {
                  change(path, field.values[index] as Draft);
                }}
              />
              {text}
            </label>
          ))}
        </span>
      </Labelled>
    );
  return (
    <Labelled {...props}>
      <select
        {...control}
        className={`input ${problem === undefined ? "" : "bad"}`}
        aria-required={isRequired}
        value={value === undefined ? "" : String(chosen)}
        onBlur={() => {
          leave(path);
        }}
        onChange={(event) => {
          change(
            path,
            event.target.value === "" ? undefined : (field.values[Number(event.target.value)] as Draft),
          );
        }}
      >
        <option value="">{field.fallback == null ? "not given" : `default: ${shown(field.fallback)}`}</option>
        {chosen === -1 && value !== undefined && <option value="-1">{textOf(value)}</option>}
        {texts.map((text, index) => (
          <option key={text} value={index}>
            {text}
          </option>
        ))}
      </select>
    </Labelled>
  );
}

export function ConstantField(props: FieldProps) {
  const { control } = useDescription(props);
  return (
    <Labelled {...props}>
      <output {...control} className="code constant">
        {shown(props.field.values[0] ?? null)}
      </output>
    </Labelled>
  );
}

/** What a form can't do: any JSON. */
export function JsonField(props: FieldProps) {
  const { field, path, value, isRequired } = props;
  const { change, leave } = useForm();
  const { control, problem } = useDescription(props);
  const [typed, setTyped] = useState("");
  const written =
    value === undefined ? "" : value instanceof Unreadable ? value.text : JSON.stringify(value, null, 2);
  // What was typed stays while it means the value, however it is indented.
  const read = jsonOf(typed);
  const isTyped = !(read instanceof Unreadable) && JSON.stringify(read) === JSON.stringify(value);
  return (
    <Labelled {...props}>
      <textarea
        {...control}
        rows={2}
        spellCheck={false}
        className={`input mono ${problem === undefined ? "" : "bad"}`}
        aria-required={isRequired}
        placeholder={field.fallback == null ? undefined : JSON.stringify(field.fallback)}
        value={isTyped ? typed : written}
        onBlur={() => {
          leave(path);
        }}
        onChange={(event) => {
          setTyped(event.target.value);
          change(path, jsonOf(event.target.value));
        }}
      />
    </Labelled>
  );
}
