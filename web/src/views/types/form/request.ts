/** The job to create, as the API takes it, and as one would write it in a shell and in Python. */
import type { Priority } from "@/api/types";
import type { Json } from "./draft";

export interface NewJob {
  readonly job_type: string;
  readonly payload: { readonly [name: string]: Json };
  readonly name: string;
  readonly priority: Priority;
  readonly tags: readonly string[];
  readonly start: boolean;
}

/** The body of POST /api/jobs/: what is as usual is left out. */
export function bodyOf(
  job: NewJob,
): { job_type: string; payload: { [name: string]: Json } } & Partial<NewJob> {
  return {
    job_type: job.job_type,
    payload: { ...job.payload },
    ...(job.name === "" ? {} : { name: job.name }),
    ...(job.priority === "normal" ? {} : { priority: job.priority }),
    ...(job.tags.length === 0 ? {} : { tags: job.tags }),
    ...(job.start ? { start: true } : {}),
  };
}

/** A command of a shell. */
export function curlOf(job: NewJob, url: string): string {
  const body = JSON.stringify(bodyOf(job), null, 2).replaceAll("'", "'\\''");
  return `curl ${url}/api/jobs/ -H 'Content-Type: application/json' -d '${body}'`;
}

/** Lines of Python. */
export function pythonOf(job: NewJob, url: string): string {
  const more = [
    ...(job.name === "" ? [] : [`name=${python(job.name)}`]),
    ...(job.priority === "normal" ? [] : [`priority=${python(job.priority)}`]),
    ...(job.tags.length === 0 ? [] : [`tags=${python([...job.tags])}`]),
    ...(job.start ? ["start=True"] : []),
  ];
  const given = [python(job.job_type), python({ ...job.payload }, 2), ...more].map(
    (each) => `        ${each},\n`,
  );
  return `from jobtracker import Client\n\nwith Client(${python(url)}) as client:\n    job = client.create(\n${given.join("")}    )\n    print(job.id)\n`;
}

/** A JSON value as a literal of Python. */
export function python(value: Json, level = 0): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "object") return JSON.stringify(value);
  const parts = Array.isArray(value)
    ? value.map((each) => python(each, level + 1))
    : Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${python(each, level + 1)}`);
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  if (parts.join(", ").length < 60 && !parts.some((part) => part.includes("\n")))
    return `${open}${parts.join(", ")}${close}`;
  const indent = "    ".repeat(level + 1);
  return `${open}\n${parts.map((part) => `${indent}${part},\n`).join("")}${"    ".repeat(level)}${close}`;
}
