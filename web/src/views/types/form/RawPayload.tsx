import { useState } from "react";
import { Icon } from "@/components/Icon";
import { type Draft, isObject, jsonOf, Unreadable } from "./draft";

/** The whole payload as JSON: the way out for what the form can't do. */
export function RawPayload({
  draft,
  onChange,
  problem,
}: {
  draft: Draft;
  onChange: (draft: Draft) => void;
  problem: string | undefined;
}) {
  const [typed, setTyped] = useState(() => rawOf(draft));
  const read = jsonOf(typed) ?? {};
  const wrong =
    read instanceof Unreadable
      ? read.problem
      : isObject(read)
        ? problem
        : "A payload has to be an object: {…}.";
  return (
    <div className="field">
      <label htmlFor="raw-payload">Payload, as JSON</label>
      <textarea
        id="raw-payload"
        className={`input mono ${wrong === undefined ? "" : "bad"}`}
        rows={12}
        spellCheck={false}
        value={typed}
        aria-invalid={wrong === undefined ? undefined : true}
        aria-describedby={wrong === undefined ? undefined : "raw-payload-problem"}
        onChange={(event) => {
          setTyped(event.target.value);
          const next = jsonOf(event.target.value) ?? {};
          onChange(
            next instanceof Unreadable || isObject(next) ? next : new Unreadable(event.target.value, ""),
          );
        }}
      />
      {wrong !== undefined && (
        <p className="err" id="raw-payload-problem">
          <Icon name="alert" size={12} />
          {wrong}
        </p>
      )}
    </div>
  );
}

/** A draft as text: what can't be read stands as the text that was typed. */
function rawOf(draft: Draft): string {
  if (draft instanceof Unreadable) return draft.text;
  return JSON.stringify(draft, (_, value: unknown) => (value instanceof Unreadable ? value.text : value), 2);
}
