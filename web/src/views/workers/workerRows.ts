/** The workers with what they run: joined from their own answers and from the jobs that name them. */
import type { WorkerFigures } from "@/api/fleet";
import type { JobSummary, WorkerStats } from "@/api/types";

/** A task at a worker, and its job if it is tracked. */
export interface HeldTask {
  readonly id: string;
  readonly task: string;
  readonly job: JobSummary | null;
  /** When it began, by the job or by the worker; of a scheduled one its ETA. Null: not known. */
  readonly at: string | number | null;
}

export interface WorkerRow {
  readonly key: string;
  readonly name: string;
  /** `silent`: it renews its lease and does not answer. `lost`: it has no lease any more, and jobs may wait for its end. */
  readonly state: "online" | "silent" | "lost" | "stopped";
  readonly stats: WorkerStats | null;
  readonly running: readonly HeldTask[];
  readonly reserved: readonly HeldTask[];
  readonly scheduled: readonly HeldTask[];
}

const ORDER = { lost: 0, silent: 1, online: 2, stopped: 3 } as const;

type Told = Readonly<Record<string, unknown>>;

/** The id of the job that a Celery task id belongs to: `ID~2` is its second run. */
export function jobIdOf(taskId: string): string {
  return taskId.replace(/~[1-9][0-9]{0,8}$/, "");
}

export function rowsOf(workers: readonly WorkerStats[], active: readonly JobSummary[]): WorkerRow[] {
  const byTask = new Map(active.flatMap((job) => (job.task_id ? [[job.task_id, job] as const] : [])));
  const byId = new Map(active.map((job) => [job.id, job]));
  const held = (told: Told, at: string | number | null): HeldTask => {
    const id = textOf(told.id) ?? "";
    return {
      id: jobIdOf(id),
      task: textOf(told.name) ?? "",
      job: byTask.get(id) ?? byId.get(jobIdOf(id)) ?? null,
      at,
    };
  };
  const known = workers.map((stats): WorkerRow => {
    // What a silent one runs is known by its jobs only.
    const running = stats.online
      ? stats.active.map((told) => {
          const began = typeof told.time_start === "number" ? told.time_start * 1000 : null;
          const task = held(told, began);
          return { ...task, at: task.job?.started_at ?? began };
        })
      : jobsOf(stats.name, active);
    return {
      key: stats.lease?.incarnation ?? stats.name,
      name: stats.name,
      state: stats.online ? "online" : "silent",
      stats,
      running,
      reserved: stats.reserved.map((told) => held(told, null)),
      scheduled: stats.scheduled.map((told) => held((told.request ?? {}) as Told, textOf(told.eta))),
    };
  });
  const names = new Set(workers.map(({ name }) => name));
  const gone = new Set(
    active.flatMap(({ status, worker }) => (status === "running" && worker ? [worker] : [])),
  );
  const lost = [...gone]
    .filter((name) => !names.has(name))
    .map((name): WorkerRow => ({
      key: `lost ${name}`,
      name,
      state: "lost",
      stats: null,
      running: jobsOf(name, active),
      reserved: [],
      scheduled: [],
    }));
  return [...lost, ...known].sort(
    (one, two) => ORDER[one.state] - ORDER[two.state] || one.name.localeCompare(two.name),
  );
}

/** The same with their figures, and with those that went within a day: lost, or stopped. */
export function linesOf(
  rows: readonly WorkerRow[],
  figures: readonly WorkerFigures[],
): (WorkerRow & { figures: WorkerFigures | null })[] {
  const byName = new Map(figures.map((each) => [each.name, each]));
  const names = new Set(rows.map(({ name }) => name));
  const gone = [...byName.values()].filter(({ name, ended_at }) => ended_at != null && !names.has(name));
  const lines = gone.map((each) => ({
    ...{ key: `gone ${each.name}`, name: each.name, stats: null, figures: each },
    ...{ state: each.state === "lost" ? ("lost" as const) : ("stopped" as const) },
    ...{ running: [], reserved: [], scheduled: [] },
  }));
  const known = rows.map((row) => ({ ...row, figures: byName.get(row.name) ?? null }));
  return [...known, ...lines].sort(
    (one, two) => ORDER[one.state] - ORDER[two.state] || one.name.localeCompare(two.name),
  );
}

/** Slots of those that answer, and how many are taken. */
export function slotsOf(rows: readonly WorkerRow[]): { all: number; taken: number } {
  const online = rows.filter(({ state }) => state === "online");
  return {
    all: online.reduce((sum, { stats }) => sum + (stats?.lease?.concurrency ?? 0), 0),
    taken: online.reduce((sum, { running }) => sum + running.length, 0),
  };
}

function jobsOf(worker: string, active: readonly JobSummary[]): HeldTask[] {
  return active
    .filter((job) => job.worker === worker && job.status === "running")
    .map((job) => ({ id: job.id, task: job.task ?? job.job_type, job, at: job.started_at ?? null }));
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
