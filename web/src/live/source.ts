/** Where this tab's hints come from: the stream of its browser, and the clock. */
import { currentConnection, setSource } from "./connection";
import { hint, hintAll } from "./hints";
import { startClock } from "./polling";
import { Relay, type Said } from "./relay";
import { heard } from "./seen";
import { currentWhyOut, onSession, sessionEnded } from "./session";
import type { Told } from "./stream";

/** Begin to listen. Once, for as long as the page is there. */
export function startLive(): void {
  const say = connect();
  const url = new URL("api/events", document.baseURI).href;
  const tell = (state: Said["state"]): void => {
    say({ url, state });
  };
  const look = (): void => {
    heard(null); // a tab that nobody looks at is told nothing
    tell(currentWhyOut() !== null ? "out" : document.hidden ? "hidden" : "visible");
  };
  onSession(look);
  document.addEventListener("visibilitychange", look);
  window.addEventListener("pagehide", () => {
    tell("gone");
  });
  window.addEventListener("pageshow", look); // it comes back from the browser's cache of pages
  look();
  startClock();
}

/** The relay that all tabs share; where the browser has no such worker, one of this tab's own. */
function connect(): (said: Said) => void {
  if (typeof SharedWorker === "undefined") return own();
  const worker = new SharedWorker(new URL("./worker.ts", import.meta.url), {
    type: "module",
    name: "jobtracker live",
  });
  let say = (said: Said): void => {
    worker.port.postMessage(said);
  };
  worker.port.onmessage = ({ data }: MessageEvent<Told>) => {
    receive(data);
  };
  let last: Said | null = null;
  // Its script did not load, for example because the page is of a release that is no longer there.
  worker.onerror = () => {
    say = own();
    if (last) say(last);
  };
  return (said) => {
    last = said;
    say(said);
  };
}

function own(): (said: Said) => void {
  const relay = new Relay();
  const listener = { postMessage: receive };
  return (said) => {
    relay.hear(listener, said);
  };
}

function receive(told: Told): void {
  if (told.kind === "out") {
    sessionEnded(told.why);
    return;
  }
  if (told.kind === "source" && told.source !== "broken") setSource(told.source);
  heard(told.kind === "jobs" ? told.id : null);
  if (currentConnection().paused) return;
  if (told.kind === "jobs") hint(told);
  else if (told.source === "poll") hintAll();
  // Somebody asks for something now: the answer says whether the API is there.
  else hint({ kind: "clock" });
}
