import { useCommands } from "@/commands/commands";
import { Icon } from "@/components/Icon";
import { Time } from "@/components/Time";
import { setPaused, useConnection } from "@/live/connection";

/** How fresh the view is; a click holds it as it is, another one goes on. */
export function ConnectionState() {
  const { state, paused, answeredAt, everyS } = useConnection();
  useCommands([
    {
      label: paused ? "Go on with updates" : "Pause updates",
      key: "p",
      run: () => {
        setPaused(!paused);
      },
    },
  ]);
  const look = paused ? "paused" : state === "off" ? "off" : state === "poll" ? "poll" : "";
  return (
    <button
      type="button"
      className={`live ${look}`}
      aria-pressed={paused}
      title={paused ? "Go on" : "Hold the view as it is"}
      onClick={() => {
        setPaused(!paused);
      }}
    >
      {paused ? (
        "Paused"
      ) : state === "stream" ? (
        "Live"
      ) : state === "poll" ? (
        `Every ${everyS} s`
      ) : (
        <>
          As of <Time at={answeredAt} />
        </>
      )}
    </button>
  );
}

/** A line above the view while nothing answers. */
export function ConnectionBanner() {
  const { state, answeredAt, everyS } = useConnection();
  if (state !== "off") return null;
  return (
    <div className="notice warn" role="alert">
      <Icon name="alert" />
      <div>
        <b>The API does not answer.</b> What is shown is as of <Time at={answeredAt} />; it is asked again
        every {everyS} s. Nothing can be changed until then.
      </div>
    </div>
  );
}
