import { useQuery } from "@tanstack/react-query";
import type { Schemas } from "@/api/types";
import { health } from "@/api/queries";
import { Icon } from "@/components/Icon";
import { Facts, Panel } from "@/components/Panel";
import { Answered } from "@/components/states";
import { duration } from "@/format/format";
import { useLive } from "@/live/useLive";
import { View } from "@/shell/View";
import { Doctor } from "./Doctor";
import { factsOf } from "./facts";
import "./health.css";

const NAMES: Readonly<Record<string, string>> = {
  redis: "Tracking Redis",
  broker: "Broker",
  workers: "Workers",
};

/** Whether each part works, and what the doctor has found. */
export function HealthView() {
  const found = useQuery(health);
  useLive([health.queryKey], { on: "clock" });
  const ill = Object.values(found.data?.components ?? {}).filter(({ healthy }) => !healthy).length;
  return (
    <View
      title="Health"
      sub={
        found.data &&
        (ill === 0
          ? "all parts work"
          : `${ill} of ${Object.keys(found.data.components).length} parts are not well`)
      }
    >
      <Answered query={found}>
        {({ components, version, service }) => (
          <div className="parts">
            <Panel title={<Title isWell name="API" />} sub="answers">
              <Facts
                facts={[
                  ["Release", version],
                  ["Service", <code>{service}</code>],
                  ["Address", <code>{new URL(".", document.baseURI).href}</code>],
                ]}
              />
            </Panel>
            {Object.entries(components).map(([name, part]) => (
              <Part key={name} name={name} part={part} />
            ))}
          </div>
        )}
      </Answered>
      <Doctor />
    </View>
  );
}

function Part({ name, part }: { name: string; part: Schemas["Component"] }) {
  return (
    <Panel
      title={<Title isWell={part.healthy} name={NAMES[name] ?? name} />}
      sub={part.healthy ? "works" : "not well"}
    >
      {part.detail && (
        <p
          className={`pb t-12 lead ${part.healthy ? "ink-2" : "failed m"}`}
          role={part.healthy ? undefined : "alert"}
        >
          {part.detail}
        </p>
      )}
      <Facts
        facts={[
          ["Answered in", part.latency_ms != null ? duration(part.latency_ms / 1000) : null],
          ...factsOf(part.facts),
        ]}
      />
    </Panel>
  );
}

function Title({ isWell, name }: { isWell: boolean; name: string }) {
  return (
    <span className={`row ${isWell ? "completed" : "failed"}`}>
      <Icon name={isWell ? "check" : "alert"} />
      <span className="ink">{name}</span>
    </span>
  );
}
