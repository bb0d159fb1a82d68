import type { Job, JobType } from "@/api/types";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type FormEvent, useRef, useState } from "react";
import { ApiError, api, data } from "@/api/client";
import { Icon } from "@/components/Icon";
import { Panel } from "@/components/Panel";
import { ErrorNotice } from "@/components/states";
import { plural } from "@/format/format";
import { About, NO_LABELS } from "./About";
import { FormContext } from "./context";
import { isObject, payloadOf, Unreadable } from "./draft";
import { Below } from "./Labelled";
import { Properties } from "./nested";
import { Preview } from "./Preview";
import { RawPayload } from "./RawPayload";
import { bodyOf, type NewJob as Request } from "./request";
import { fieldOf } from "./schema";
import { useDraft } from "./useDraft";
import "./form.css";

/** Of a type without a schema: anything is taken. */
const ANYTHING = { type: "object" };

/** Creates a job of a type: by a form made of its schema, or by JSON. */
export function NewJob({ type, like }: { type: JobType; like: Job | undefined }) {
  const schema: unknown = type.payload_schema ?? ANYTHING;
  const form = useDraft(schema, like?.payload ?? undefined);
  const field = fieldOf(schema, schema);
  const hasForm = field.kind === "object" && (field.properties.length > 0 || isObject(field.entries));
  const [isRaw, setRaw] = useState(!hasForm);
  const [labels, setLabels] = useState(
    like ? { name: like.name, priority: like.priority, tags: like.tags.join(", ") } : NO_LABELS,
  );
  const element = useRef<HTMLFormElement>(null);
  const client = useQueryClient();
  const sending = useMutation({
    mutationFn: (request: Request) => data(api.POST("/api/jobs/", { body: withDefaults(request) })),
    onSuccess: () => void client.invalidateQueries({ queryKey: ["stats"] }),
    onError: (error) => {
      form.refuse(refusedOf(error));
      focusFirstWrong();
    },
  });
  const payload = payloadOf(form.draft);
  const request = (start: boolean): Request => ({
    job_type: type.name,
    payload: payload ?? {},
    name: labels.name.trim(),
    priority: labels.priority,
    tags: labels.tags
      .split(",")
      .map((tag) => tag.trim())
      .filter((tag) => tag !== ""),
    start,
  });
  // By JSON the API alone decides: this page's own look may be wrong.
  const toCorrect = isRaw ? (payload === null ? 1 : 0) : form.problems.length;

  function focusFirstWrong(): void {
    requestAnimationFrame(() => {
      element.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
    });
  }

  function send(start: boolean): void {
    if (sending.isPending) return;
    sending.reset();
    form.tellAll();
    if (toCorrect > 0) focusFirstWrong();
    else sending.mutate(request(start));
  }

  return (
    <Panel
      title={`New ${type.name}`}
      actions={
        hasForm && (
          <span className="seg" role="group" aria-label="How to fill it in">
            <button
              type="button"
              aria-pressed={!isRaw}
              disabled={isRaw && form.draft instanceof Unreadable}
              title={form.draft instanceof Unreadable ? "It is not JSON yet" : undefined}
              onClick={() => {
                setRaw(false);
              }}
            >
              Form
            </button>
            <button
              type="button"
              aria-pressed={isRaw}
              onClick={() => {
                setRaw(true);
              }}
            >
              JSON
            </button>
          </span>
        )
      }
    >
      <form
        ref={element}
        noValidate
        aria-label={`New ${type.name}`}
        onSubmit={(event: FormEvent) => {
          event.preventDefault();
          send(true);
        }}
      >
        <div className="pb new-job">
          {like && (
            <p className="t-12 ink-2">
              Like{" "}
              <Link to="/jobs/$jobId" params={{ jobId: like.id }}>
                {like.name}
              </Link>
              .
            </p>
          )}
          {type.needs_results && (
            <div className="notice warn">
              <Icon name="alert" />
              <div>
                Its task needs the results of sub-jobs, which this form can't add: POST
                /api/jobs/with-subjobs.
              </div>
            </div>
          )}
          <FormContext value={form}>
            {isRaw ? (
              <RawPayload draft={form.draft} onChange={form.setDraft} problem={form.problemAt([])} />
            ) : (
              <>
                {field.properties.length === 0 && !isObject(field.entries) && (
                  <p className="ink-3 t-12">It takes no payload.</p>
                )}
                <div
                  className="field whole"
                  tabIndex={-1}
                  aria-invalid={form.problemAt([]) ? true : undefined}
                >
                  <Below field={{ ...field, description: "", fallback: undefined, examples: [] }} path={[]} />
                </div>
                <Properties field={field} path={[]} value={form.draft} />
              </>
            )}
          </FormContext>
          <About labels={labels} onChange={setLabels} error={sending.error} usualName={type.name} />
          <Preview request={request(true)} isWhole={payload !== null} />
          {sending.error && <ErrorNotice error={sending.error} />}
          {sending.data && <Created job={sending.data} />}
        </div>
        <div className="pf">
          <button type="submit" className="btn primary" aria-disabled={sending.isPending || undefined}>
            {sending.isPending ? "Creating …" : "Create and start"}
          </button>
          <button
            type="button"
            className="btn"
            aria-disabled={sending.isPending || undefined}
            onClick={() => {
              send(false);
            }}
          >
            Create
          </button>
          <span className="push">
            {toCorrect > 0 && `${plural(toCorrect, "field")} to fill in or correct`}
          </span>
        </div>
      </form>
    </Panel>
  );
}

/** The body with what the generated types ask for; the preview leaves out what is as usual. */
function withDefaults(request: Request) {
  const { tags, priority, name, start, ...rest } = { ...request, ...bodyOf(request) };
  return { ...rest, name: name === "" ? request.job_type : name, priority, tags: [...tags], start };
}

/** The fields of the payload that the API refused, by their path. */
function refusedOf(error: Error): Map<string, string> {
  const found = new Map<string, string>();
  for (const { field, message } of error instanceof ApiError ? error.fields : []) {
    if (field !== "body.payload" && !field.startsWith("body.payload.")) continue;
    const path = field.slice("body.payload.".length);
    const before = found.get(path);
    found.set(path, before === undefined ? message : `${before}; ${message}`);
  }
  return found;
}

function Created({ job }: { job: Job }) {
  return (
    <div className="notice" role="status">
      <Icon name="check" />
      <div>
        {job.status === "pending" && job.queued_at == null
          ? "Created, not started: "
          : "Created and started: "}
        <Link to="/jobs/$jobId" params={{ jobId: job.id }} className="b">
          {job.name}
        </Link>
      </div>
    </div>
  );
}
