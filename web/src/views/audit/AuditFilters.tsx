import { type ReactNode, useId, useState } from "react";
import { clock } from "@/format/format";
import { Field, SelectField } from "@/components/Field";
import { useNow } from "@/components/Time";
import { type AuditSearch, isNarrowed, isSpan, type Outcome, OUTCOMES, SPANS } from "./search";

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
      <SelectField<Outcome | "">
        label="Outcome"
        value={search.outcome ?? ""}
        options={[["", "any"], ...OUTCOMES.map((outcome) => [outcome, outcome] as const)]}
        onChange={(outcome) => {
          onChange({ outcome: outcome === "" ? undefined : outcome });
        }}
      />
      <SelectField<string>
        label="Since"
        value={since ?? ""}
        options={[
          ["", "all that is kept"],
          ...Object.entries(SPANS).map(([span, { text }]) => [span, text] as const),
          ...(since !== undefined && !isSpan(since) ? [[since, clock(since, now)] as const] : []),
        ]}
        onChange={(next) => {
          onChange({ since: next || undefined });
        }}
      />
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
    <Field label={label}>
      {(control) => (
        <>
          <input
            {...control}
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
        </>
      )}
    </Field>
  );
}
