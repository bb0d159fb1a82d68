/** What else somebody says before a change of many jobs: how, why, and that they mean it. */
import type { BulkAction } from "@/api/bulk";
import { PRIORITIES } from "@/api/types";
import { Field, SelectField } from "@/components/Field";
import type { Confirmation, Options, Verb } from "./bulk";

/** `showModal` focuses what has this attribute; React's own `autoFocus` comes before and is lost. */
export function focusFirst(element: HTMLElement | null): void {
  element?.setAttribute("autofocus", "");
  element?.focus(); // it may come when the dialog is open already
}

interface BulkOptionsProps {
  verb: Verb;
  options: Options;
  /** Whether some of the jobs run. */
  runs: boolean;
  onChange: (options: Options) => void;
}

/** What an action needs to know. */
export function BulkOptions({ verb, options, runs, onChange }: BulkOptionsProps) {
  const { action, reason, tags, priority } = options;
  if (verb === "cancel")
    return (
      <>
        {runs && (
          <label className="row bulk-option">
            <input
              type="checkbox"
              className="check"
              checked={action === "terminate"}
              onChange={({ target }) => {
                onChange({ ...options, action: target.checked ? "terminate" : "cancel" });
              }}
            />
            Terminate what runs
            <span className="t-12 ink-3">kills it; the pools threads and solo can only ask</span>
          </label>
        )}
        <Field label="Reason" hint="It is shown in each job, and in its history.">
          {(control) => (
            <input
              {...control}
              className="input"
              maxLength={300}
              value={reason}
              ref={focusFirst}
              onChange={({ target }) => {
                onChange({ ...options, reason: target.value });
              }}
            />
          )}
        </Field>
      </>
    );
  if (verb === "tag")
    return (
      <>
        <Field label="Tags" hint="With commas between them.">
          {(control) => (
            <input
              {...control}
              className="input"
              maxLength={1100}
              autoComplete="off"
              value={tags}
              ref={focusFirst}
              onChange={({ target }) => {
                onChange({ ...options, tags: target.value });
              }}
            />
          )}
        </Field>
        <fieldset className="row bulk-option">
          <legend className="sr">What to do with these tags</legend>
          {TAGGING.map(([each, text]) => (
            <label className="row" key={each}>
              <input
                type="radio"
                name="tagging"
                checked={action === each}
                onChange={() => {
                  onChange({ ...options, action: each });
                }}
              />
              {text}
            </label>
          ))}
        </fieldset>
      </>
    );
  if (verb === "reprioritise")
    return (
      <SelectField
        label="Priority"
        value={priority}
        options={PRIORITIES.map((each) => [each, each] as const)}
        onChange={(next) => {
          onChange({ ...options, priority: next });
        }}
      />
    );
  return null;
}

const TAGGING = [
  ["tag", "Add them"],
  ["untag", "Take them away"],
] as const satisfies readonly (readonly [BulkAction, string])[];

interface ConfirmProps {
  confirmation: Confirmation;
  given: { readonly typed: string; readonly said: boolean };
  /** Whether it is the first that is to be said. */
  isFirst: boolean;
  onChange: (given: { typed: string; said: boolean }) => void;
}

/** An own act before the button: a number that is typed, or a sentence. */
export function Confirm({ confirmation, given, isFirst, onChange }: ConfirmProps) {
  if (confirmation === null) return null;
  return (
    <label className="row bulk-option bulk-confirm">
      {"typed" in confirmation ? (
        <>
          <span className="label">
            Type how many jobs it is for (<b>{confirmation.typed}</b>)
          </span>
          <input
            className="input bulk-typed"
            inputMode="numeric"
            autoComplete="off"
            value={given.typed}
            ref={isFirst ? focusFirst : undefined}
            onChange={({ target }) => {
              onChange({ ...given, typed: target.value });
            }}
          />
        </>
      ) : (
        <>
          <input
            type="checkbox"
            className="check"
            checked={given.said}
            ref={isFirst ? focusFirst : undefined}
            onChange={({ target }) => {
              onChange({ ...given, said: target.checked });
            }}
          />
          {confirmation.said}
        </>
      )}
    </label>
  );
}
