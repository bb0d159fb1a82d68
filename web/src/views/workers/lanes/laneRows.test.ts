import type { Ran } from "@/api/executions";
import type { WorkerFigures } from "@/api/fleet";
import { expect, test } from "vitest";
import { drawingOf, laneRows } from "./laneRows";

const worker = (name: string, more: object = {}) =>
  ({ name, concurrency: 2, started_at: "2026-11-29T12:00:00Z", ended_at: null, ...more }) as WorkerFigures;
const ran = (id: string, name: string, from: number, to: number | null): Ran => ({
  id,
  name: id,
  type: "t",
  status: to === null ? "running" : "completed",
  worker: name,
  from,
  to,
  inferred: false,
});

test("each worker has a lane, also one that only its executions name", () => {
  const rows = laneRows([worker("b"), worker("a")], [ran("1", "a", 0, 1), ran("2", "gone", 0, 1)]);
  expect(rows.map(({ name, figures, ran: of }) => [name, figures !== null, of.length])).toEqual([
    ["a", true, 1],
    ["b", true, 0],
    ["gone", false, 1],
  ]);
});

test("a worker that was started again is one lane, as its last start is", () => {
  const rows = laneRows(
    [
      worker("a", { started_at: "2026-11-29T13:00:00Z", state: "online" }),
      worker("a", { ended_at: "2026-11-29T12:30:00Z", state: "lost" }),
    ],
    [],
  );
  expect(rows.map(({ figures }) => figures?.state)).toEqual(["online"]);
});

test("all jobs are counted: those with a block of their own, and those too short for one", () => {
  const [lane] = laneRows(
    [worker("a")],
    [ran("long", "a", 0, 50_000), ran("x", "a", 60_000, 60_010), ran("y", "a", 60_050, 60_060)],
  );
  if (!lane) throw new Error("no lane");
  const drawing = drawingOf(lane, { from: 0, to: 100_000, rows: lane.ran, unread: null }, 100);
  expect([drawing.rows.length, drawing.single, drawing.merged]).toEqual([2, 1, 2]);
});
