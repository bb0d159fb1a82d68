import { useQuery } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useId, useRef, useState } from "react";
import { api, ApiError, data } from "@/api/client";
import { jobTypes } from "@/api/queries";
import { type Job, PRIORITIES, type Priority, type Schemas } from "@/api/types";
import { createJob, createTree, updateJob, useWrite } from "@/api/writes";
import { Dialog } from "@/components/Dialog";
import { Icon } from "@/components/Icon";
import { ErrorNotice } from "@/components/states";
import { plural } from "@/format/format";
import { cloneOf, copiesSubJobs, maskedIn, subJobsOf, whyNotCopied } from "./clone";
import { jsonProblem, lineOf, placesOf } from "./jsonPlaces";

interface JobFormProps {
  job: Job;
  /** `clone`: another job like it. `edit`: this one. */
  mode: "clone" | "edit";
  onDone: (job: Job) => void;
  onClose: () => void;
}

interface FieldError {
  readonly field: string;
  readonly message: string;
}

interface Draft {
  name: string;
  tags: string;
  priority: Priority;
  payload: string;
  withSubJobs: boolean;
  start: boolean;
}

type Payload = Record<string, never>;

/** The form of a job: to create another one like it, or to change it. Errors stand at their fields. */
export function JobForm({ job, mode, onDone, onClose }: JobFormProps) {
  const id = useId();
  const isClone = mode === "clone";
  const copy = cloneOf(job);
  const subs = job.sub_job_counts?.total ?? 0;
  const isEditable = isClone || job.run === 0;
  const noPayload = whyNotCopied(job);
  const types = useQuery({ ...jobTypes, enabled: isClone });
  const [draft, setDraft] = useState<Draft>({
    name: job.name,
    tags: job.tags.join(", "),
    priority: job.priority,
    payload: JSON.stringify(isClone ? copy.payload : (job.payload ?? {}), null, 2),
    withSubJobs: copiesSubJobs(subs),
    start: true,
  });
  const [wrong, setWrong] = useState<readonly FieldError[]>([]);
  const set = (change: Partial<Draft>) => {
    setDraft({ ...draft, ...change });
  };
  const write = useWrite(
    async (payload: Payload) =>
      isClone ? create(job, copy.job_type, draft, payload) : change(job, draft, payload),
    () => [["job", job.id], ["stats"]],
  );
  const unknown =
    isClone && types.data !== undefined && !types.data.some((each) => each.name === copy.job_type);

  function submit(event: FormEvent): void {
    event.preventDefault();
    const problems = isEditable ? problemsOf(draft.payload, isClone) : [];
    setWrong(problems);
    if (problems.length > 0) return;
    write.mutate(JSON.parse(draft.payload) as Payload, {
      onSuccess: (done) => {
        onDone(done);
      },
      onError: (error) => {
        setWrong(
          error instanceof ApiError
            ? error.fields.map(({ field, message }) => ({ field: bare(field), message }))
            : [],
        );
      },
    });
  }

  const inPayload = wrong.filter(({ field }) => isOf(field, "payload"));
  const at = (name: string) => wrong.filter(({ field }) => isOf(field, name));
  const elsewhere = wrong.filter(
    ({ field }) => !["payload", "name", "tags"].some((name) => isOf(field, name)),
  );
  return (
    <Dialog
      className="wide"
      title={isClone ? `Another job like “${job.name}”` : `Edit “${job.name}”`}
      onClose={onClose}
      footer={
        <>
          {isClone && (
            <label className="row">
              <input
                type="checkbox"
                className="check"
                checked={draft.start}
                onChange={(event) => {
                  set({ start: event.target.checked });
                }}
              />
              Start it at once
            </label>
          )}
          <span className="push" />
          <button type="button" className="btn" onClick={onClose}>
            Leave it
          </button>
          <button type="submit" form={id} className="btn primary" disabled={write.isPending}>
            {write.isPending ? "Saving…" : isClone ? (draft.start ? "Create and start" : "Create") : "Save"}
          </button>
        </>
      }
    >
      <form id={id} onSubmit={submit} noValidate>
        <section className="col form">
          {write.error && (inPayload.length === 0 || elsewhere.length > 0) && (
            <ErrorNotice error={write.error} />
          )}
          {unknown && (
            <p className="notice warn">
              <Icon name="alert" />
              <span>
                No worker announces the type <code>{copy.job_type}</code> now: the API will not take it.
              </span>
            </p>
          )}
          <Field id={`${id}-name`} label="Name" errors={at("name")}>
            <input
              id={`${id}-name`}
              className={`input ${at("name").length > 0 ? "bad" : ""}`}
              maxLength={200}
              value={draft.name}
              onChange={(event) => {
                set({ name: event.target.value });
              }}
            />
          </Field>
          <div className="row top form-pair">
            <Field id={`${id}-tags`} label="Tags" hint="Separated by commas, 20 at most" errors={at("tags")}>
              <input
                id={`${id}-tags`}
                className={`input ${at("tags").length > 0 ? "bad" : ""}`}
                value={draft.tags}
                onChange={(event) => {
                  set({ tags: event.target.value });
                }}
              />
            </Field>
            <Field
              id={`${id}-priority`}
              label="Priority"
              hint={isEditable ? undefined : "Only before the start"}
              errors={at("priority")}
            >
              <select
                id={`${id}-priority`}
                className="input"
                value={draft.priority}
                disabled={!isEditable}
                onChange={(event) => {
                  set({ priority: event.target.value as Priority });
                }}
              >
                {PRIORITIES.map((each) => (
                  <option key={each}>{each}</option>
                ))}
              </select>
            </Field>
          </div>
          {isEditable && (
            <JsonField
              id={`${id}-payload`}
              label={`Payload of ${copy.job_type}`}
              value={draft.payload}
              hint={noPayload === null ? undefined : `Not prefilled: ${noPayload}.`}
              errors={inPayload}
              onChange={(payload) => {
                set({ payload });
              }}
            />
          )}
          {isClone && subs > 0 && (
            <div className="field">
              <label className="row">
                <input
                  type="checkbox"
                  className="check"
                  checked={draft.withSubJobs}
                  aria-describedby={`${id}-subs`}
                  onChange={(event) => {
                    set({ withSubJobs: event.target.checked });
                  }}
                />
                With copies of its {plural(subs, "sub-job")} and all below
              </label>
              <span id={`${id}-subs`} className="hint">
                {draft.withSubJobs
                  ? `${plural(subs + 1, "job")}, and what is below the sub-jobs, ${draft.start ? "are created and run again." : "are created."}`
                  : `One job is created${draft.start ? ". Its task runs at once" : ""}, without sub-jobs and their results.`}
              </span>
            </div>
          )}
        </section>
      </form>
    </Dialog>
  );
}

async function create(job: Job, jobType: string, draft: Draft, payload: Payload): Promise<Job> {
  const body = {
    name: draft.name,
    job_type: jobType,
    priority: draft.priority,
    tags: tagsOf(draft.tags),
    payload,
    start: draft.start,
  };
  if (!draft.withSubJobs) return createJob(body);
  const tree = await data(
    api.GET("/api/jobs/{job_id}/with-subjobs", { params: { path: { job_id: job.id } } }),
  );
  return createTree({ ...body, failure_policy: job.failure_policy ?? "fail", sub_jobs: subJobsOf(tree) });
}

function change(job: Job, draft: Draft, payload: Payload): Promise<Job> {
  const wanted: Schemas["JobUpdate"] = {};
  if (draft.name !== job.name) wanted.name = draft.name;
  if (draft.tags !== job.tags.join(", ")) wanted.tags = tagsOf(draft.tags);
  if (draft.priority !== job.priority) wanted.priority = draft.priority;
  if (job.run === 0 && JSON.stringify(payload) !== JSON.stringify(job.payload ?? {}))
    wanted.payload = payload;
  return updateJob(job.id, wanted);
}

function tagsOf(text: string): string[] {
  return text
    .split(",")
    .map((tag) => tag.trim())
    .filter((tag) => tag !== "");
}

/** What is wrong with a payload before the API is asked. */
function problemsOf(text: string, isClone: boolean): FieldError[] {
  const problem = jsonProblem(text);
  if (problem) return [{ field: "payload", message: `Line ${problem.line}: ${problem.message}` }];
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return [{ field: "payload", message: "A payload is an object: { … }." }];
  if (!isClone) return [];
  return maskedIn(value).map((path) => ({
    field: `payload.${path}`,
    message: "It is masked: enter the value, or *** is what the task gets.",
  }));
}

function bare(field: string): string {
  return field.replace(/^body\./, "");
}

function isOf(field: string, name: string): boolean {
  return field === name || field.startsWith(`${name}.`);
}

interface FieldProps {
  id: string;
  label: string;
  hint?: string | undefined;
  errors: readonly FieldError[];
  children: ReactNode;
}

function Field({ id, label, hint, errors, children }: FieldProps) {
  return (
    <div className="field grow">
      <label htmlFor={id}>{label}</label>
      {children}
      {hint !== undefined && <span className="hint">{hint}</span>}
      {errors.map(({ field, message }) => (
        <span key={field + message} className="err" role="alert">
          <Icon name="alert" size={12} />
          {message}
        </span>
      ))}
    </div>
  );
}

interface JsonFieldProps {
  id: string;
  label: string;
  value: string;
  hint?: string | undefined;
  errors: readonly FieldError[];
  onChange: (value: string) => void;
}

const LEAST_ROWS = 6;
const MOST_ROWS = 18;

/** An editor of JSON. Each error names its line, and leads there. */
function JsonField({ id, label, value, hint, errors, onChange }: JsonFieldProps) {
  const editor = useRef<HTMLTextAreaElement>(null);
  const places = errors.length > 0 && jsonProblem(value) === null ? placesOf(value) : null;

  function goTo(line: number): void {
    const lines = value.split("\n");
    const begin = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    editor.current?.focus();
    editor.current?.setSelectionRange(begin, begin + (lines[line - 1] ?? "").length);
  }

  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <textarea
        ref={editor}
        id={id}
        className={`input mono json-editor ${errors.length > 0 ? "bad" : ""}`}
        rows={Math.max(LEAST_ROWS, Math.min(MOST_ROWS, value.split("\n").length + 1))}
        spellCheck={false}
        aria-invalid={errors.length > 0}
        aria-describedby={errors.length > 0 ? `${id}-errors` : undefined}
        value={value}
        onChange={(event) => {
          onChange(event.target.value);
        }}
      />
      {hint !== undefined && <span className="hint">{hint}</span>}
      <div id={`${id}-errors`} role="alert">
        {errors.map(({ field, message }) => {
          const path = field.replace(/^payload\.?/, "");
          const line = places ? lineOf(places, path) : null;
          return (
            <div key={field + message} className="err">
              <Icon name="alert" size={12} />
              <span>
                {line !== null && (
                  <button
                    type="button"
                    className="link"
                    onClick={() => {
                      goTo(line);
                    }}
                  >
                    line {line}
                  </button>
                )}{" "}
                {path !== "" && <code>{path}</code>} {message}
              </span>
            </div>
          );
        })}
      </div>
    </div>
  );
}
