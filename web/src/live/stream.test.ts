import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { Relay } from "./relay";
import { SseParser } from "./sse";
import { type Pace, Stream, type Told } from "./stream";

const QUICK = { retryMs: [1, 1, 1, 1], failures: 3, silenceMs: 20_000, steadyMs: 0 };
const READY = 'event: ready\ndata: {"resumed":false}\nid: 1-0\n\n';
const RESUMED = 'event: ready\ndata: {"resumed":true}\nid: 1-0\n\n';
const CHANGE = { id: "a", what: ["status"], status: "failed" };
const JOBS = `event: jobs\ndata: {"jobs":[${JSON.stringify(CHANGE)}],"many":null,"rest_ms":80}\nid: 2-0\n\n`;

/** Try again until it holds. */
const eventually = (holds: () => void) => vi.waitFor(holds, { timeout: 20_000 });

type Answer = (request: IncomingMessage, response: ServerResponse) => void;
const ends: (() => void)[] = [];
vi.setConfig({ testTimeout: 30_000 });
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** A server whose nth connection gets the nth answer; the last one is for all that follow. */
async function serving(...answers: Answer[]): Promise<{ url: string; asked: IncomingMessage[] }> {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    answers[Math.min(asked.length, answers.length) - 1]?.(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/events`, asked };
}

const sends =
  (text: string, ending: "stays" | "ends" = "stays"): Answer =>
  (_, response) => {
    response.write(text);
    if (ending === "ends") response.end();
  };
const refuses: Answer = (_, response) => response.writeHead(503).end();

function following(url: string, pace: Partial<Pace> = {}): Told[] {
  const told: Told[] = [];
  const stream = new Stream(url, (each) => told.push(each), { ...QUICK, ...pace });
  ends.push(() => {
    stream.close();
  });
  stream.open();
  return told;
}

/** What was told, in short. */
function gist(each: Told) {
  return each.kind === "source" ? each.source : each.kind === "jobs" ? each.jobs : `out: ${each.why}`;
}

test("events are read from chunks that end anywhere, and comments move the id on", () => {
  const parser = new SseParser();
  const text = `${READY}: it lives\nid: 7-0\n\nevent: jobs\r\ndata: {"a":\r\ndata: 1}\r\n\r\n`;
  const events = [...text].flatMap((character) => parser.push(character));
  expect(events).toEqual([
    { id: "1-0", event: "ready", data: '{"resumed":false}' },
    { id: "7-0", event: "jobs", data: '{"a":\n1}' },
  ]);
  expect(parser.lastId).toBe("7-0");
});

test("a stream says that it is there, that all may have changed, and then which jobs", async () => {
  const { url } = await serving(sends(READY + JOBS));
  const told = following(url);
  await eventually(() => {
    expect(told).toHaveLength(3);
  });
  expect(told).toEqual([
    { kind: "source", source: "stream" },
    { kind: "jobs", jobs: "many", id: "1-0" },
    { kind: "jobs", jobs: [CHANGE], id: "2-0", restMs: 80 },
  ]);
});

test("a stream that breaks goes on after the last id, and nothing is read anew", async () => {
  const { url, asked } = await serving(sends(RESUMED + JOBS, "ends"), sends(RESUMED));
  const told = following(url);
  await eventually(() => {
    expect(told).toHaveLength(4);
  });
  expect(asked[1]?.headers["last-event-id"]).toBe("2-0");
  expect(told.map(gist)).toEqual(["stream", [CHANGE], "broken", "stream"]);
});

test("after three failures the page polls, and the stream is tried again", async () => {
  const { url } = await serving(refuses, refuses, refuses, sends(READY));
  const told = following(url);
  await eventually(() => {
    expect(told).toHaveLength(5);
  });
  expect(told.map(gist)).toEqual(["broken", "broken", "poll", "stream", "many"]);
});

test("silence is a failure, and an id that is refused is forgotten", async () => {
  const refused: Answer = (_, response) => response.writeHead(422).end();
  const { url, asked } = await serving(sends(RESUMED), refused, sends(READY));
  following(url, { silenceMs: 60 });
  await eventually(() => {
    expect(asked.length).toBeGreaterThan(2);
  });
  expect(asked[1]?.headers["last-event-id"]).toBe("1-0");
  expect(asked[2]?.headers["last-event-id"]).toBeUndefined();
});

test("missing events and too many events mean: read all that is shown; while Redis is away, look", async () => {
  const away = 'event: away\ndata: {"detail":"no answer"}\n\n';
  const reset = 'event: reset\ndata: {"detail":"trimmed"}\nid: 3-0\n\n';
  const many = 'event: jobs\ndata: {"jobs":[],"many":500}\nid: 4-0\n\n';
  const { url } = await serving(sends(RESUMED + away + reset + many));
  const told = following(url);
  await eventually(() => {
    expect(told).toHaveLength(5);
  });
  expect(told.map(gist)).toEqual(["stream", "broken", "stream", "many", "many"]);
});

test("all tabs have one stream; it is closed when none is looked at", async () => {
  const { url, asked } = await serving(sends(RESUMED));
  const relay = new Relay(20, QUICK);
  const [first, second] = [vi.fn(), vi.fn()];
  const tabs = [{ postMessage: first }, { postMessage: second }] as const;
  relay.hear(tabs[0], { url, state: "visible" });
  await eventually(() => {
    expect(first).toHaveBeenCalledWith({ kind: "source", source: "stream" });
  });
  relay.hear(tabs[1], { url, state: "visible" });
  expect(second).toHaveBeenCalledWith({ kind: "source", source: "stream" });
  expect(asked).toHaveLength(1);
  const closed = new Promise((resolve) => asked[0]?.on("close", resolve));
  relay.hear(tabs[0], { url, state: "hidden" });
  relay.hear(tabs[1], { url, state: "gone" });
  await closed;
  relay.hear(tabs[0], { url, state: "visible" });
  await eventually(() => {
    expect(asked[1]?.headers["last-event-id"]).toBe("1-0");
  });
});

test("where nobody is logged in, the stream says so and does not ask again", async () => {
  const unknown: Answer = (_, response) => response.writeHead(401).end('{"detail":"Log in."}');
  const { url, asked } = await serving(unknown);
  const told = following(url);
  await eventually(() => {
    expect(told.map(gist)).toEqual(["out: Log in."]);
  });
  await new Promise((resolve) => setTimeout(resolve, 30)); // many times the pause before another try
  expect(asked).toHaveLength(1);
});

test("who may not have the stream polls, until it is opened anew", async () => {
  const { url, asked } = await serving((_, response) => response.writeHead(403).end("{}"), sends(READY));
  const told: Told[] = [];
  const stream = new Stream(url, (each) => told.push(each), QUICK);
  ends.push(() => {
    stream.close();
  });
  stream.open();
  await eventually(() => {
    expect(told.map(gist)).toEqual(["poll"]);
  });
  expect(asked).toHaveLength(1);
  expect(stream.isOpen).toBe(false);
  stream.open();
  await eventually(() => {
    expect(told.map(gist)).toEqual(["poll", "stream", "many"]);
  });
});
