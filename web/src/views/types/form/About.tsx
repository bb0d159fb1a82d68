import { PRIORITIES, type Priority } from "@/api/types";
import { ApiError } from "@/api/client";
import { Icon } from "@/components/Icon";

export interface Labels {
  readonly name: string;
  readonly priority: Priority;
  /** As typed: separated by commas. */
  readonly tags: string;
}

export const NO_LABELS: Labels = { name: "", priority: "normal", tags: "" };

/** What people know the job by, and how urgent it is. */
export function About({
  labels,
  onChange,
  error,
  usualName,
}: {
  labels: Labels;
  onChange: (labels: Labels) => void;
  error: Error | null;
  usualName: string;
}) {
  return (
    <details className="about" open={problemOf(error, "") === undefined ? undefined : true}>
      <summary>Name, priority, tags</summary>
      <Text
        id="new-name"
        label="Name"
        placeholder={usualName}
        value={labels.name}
        problem={problemOf(error, "name")}
        onChange={(name) => {
          onChange({ ...labels, name });
        }}
      />
      <div className="field">
        <label htmlFor="new-priority">Priority</label>
        <select
          id="new-priority"
          className="input"
          value={labels.priority}
          onChange={(event) => {
            onChange({ ...labels, priority: event.target.value as Priority });
          }}
        >
          {PRIORITIES.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      </div>
      <Text
        id="new-tags"
        label="Tags, separated by commas"
        value={labels.tags}
        problem={problemOf(error, "tags")}
        onChange={(tags) => {
          onChange({ ...labels, tags });
        }}
      />
    </details>
  );
}

function Text({
  id,
  label,
  value,
  placeholder,
  problem,
  onChange,
}: {
  id: string;
  label: string;
  value: string;
  placeholder?: string;
  problem: string | undefined;
  onChange: (value: string) => void;
}) {
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        className={`input ${problem === undefined ? "" : "bad"}`}
        autoComplete="off"
        placeholder={placeholder}
        value={value}
        aria-invalid={problem === undefined ? undefined : true}
        aria-describedby={problem === undefined ? undefined : `${id}-problem`}
        onChange={(event) => {
          onChange(event.target.value);
        }}
      />
      {problem !== undefined && (
        <p className="err" id={`${id}-problem`}>
          <Icon name="alert" size={12} />
          {problem}
        </p>
      )}
    </div>
  );
}

/** What the API refused of a field, or of one of these fields. */
function problemOf(error: Error | null, name: "name" | "tags" | ""): string | undefined {
  const names = name === "" ? ["name", "tags"] : [name];
  const fields = error instanceof ApiError ? error.fields : [];
  return fields.find(({ field }) =>
    names.some((each) => field === `body.${each}` || field.startsWith(`body.${each}.`)),
  )?.message;
}
