import { type ReactNode, useId, useState } from "react";
import { clock } from "@/format/format";
import { useNow } from "@/components/Time";
import { type AuditSearch, isNarrowed, isSpan, OUTCOMES, SPANS } from "./search";

interface AuditFiltersProps {
  search: AuditSearch;
  /** Actions that are known: suggestions. */
  actions: readonly string[];
  onChange: (next: Partial<AuditSearch>) => void;
}

/** What the list is narrowed to. A text counts when Enter is pressed, or the field is left. */
export function AuditFilters({ search, actions, onChange }: AuditFiltersProps) {
  const id = useId();
  const now = useNow();
  const { since } = search;
  return (
    <div className="audit-filters" role="search" aria-label="Filter">
      <Text
        label="Who"
        value={search.principal}
        onChange={(principal) => {
          onChange({ principal });
        }}
      />
      <Text
        label="Action"
        value={search.action}
        list={`${id}-actions`}
        placeholder="cancel_job"
        onChange={(action) => {
          onChange({ action });
        }}
      >
        <datalist id={`${id}-actions`}>
          {actions.map((action) => (
            <option key={action} value={action} />
          ))}
        </datalist>
      </Text>
      <Text
        label="Job, or other target"
        value={search.job}
        placeholder="its whole ID"
        onChange={(job) => {
          onChange({ job });
        }}
      />
      <div className="field">
        <label htmlFor={`${id}-outcome`}>Outcome</label>
        <select
          id={`${id}-outcome`}
          className="input"
          value={search.outcome ?? ""}
          onChange={(event) => {
            onChange({ outcome: OUTCOMES.find((outcome) => outcome === event.target.value) });
          }}
        >
          <option value="">any</option>
          {OUTCOMES.map((outcome) => (
            <option key={outcome}>{outcome}</option>
          ))}
        </select>
      </div>
      <div className="field">
        <label htmlFor={`${id}-since`}>Since</label>
        <select
          id={`${id}-since`}
          className="input"
          value={since ?? ""}
          onChange={(event) => {
            onChange({ since: event.target.value || undefined });
          }}
        >
          <option value="">all that is kept</option>
          {Object.entries(SPANS).map(([span, { text }]) => (
            <option key={span} value={span}>
              {text}
            </option>
          ))}
          {since !== undefined && !isSpan(since) && <option value={since}>{clock(since, now)}</option>}
        </select>
      </div>
      {isNarrowed(search) && (
        <button
          type="button"
          className="btn ghost"
          onClick={() => {
            onChange({
              principal: undefined,
              action: undefined,
              job: undefined,
              outcome: undefined,
              since: undefined,
            });
          }}
        >
          Clear
        </button>
      )}
    </div>
  );
}

interface TextProps {
  label: string;
  value: string | undefined;
  list?: string;
  placeholder?: string;
  onChange: (value: string | undefined) => void;
  children?: ReactNode;
}

function Text({ label, value = "", list, placeholder, onChange, children }: TextProps) {
  const id = useId();
  const [typed, setTyped] = useState(value);
  const [known, setKnown] = useState(value);
  if (known !== value) {
    setKnown(value);
    setTyped(value);
  }
  const settle = () => {
    const wanted = typed.trim();
    if (wanted !== value) onChange(wanted || undefined);
  };
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        className="input"
        autoComplete="off"
        spellCheck={false}
        list={list}
        placeholder={placeholder}
        value={typed}
        onChange={(event) => {
          setTyped(event.target.value);
        }}
        onBlur={settle}
        onKeyDown={(event) => {
          if (event.key === "Enter") settle();
        }}
      />
      {children}
    </div>
  );
}
