import { useQuery } from "@tanstack/react-query";
import { health } from "@/api/queries";
import { Icon } from "@/components/Icon";
import { Facts, Panel } from "@/components/Panel";
import { Answered } from "@/components/states";
import { duration } from "@/format/format";
import { useLive } from "@/live/useLive";
import { View } from "@/shell/View";

/** Whether each part works, and what is wrong with it. */
export function HealthView() {
  const found = useQuery(health);
  useLive([health.queryKey], { on: "clock" });
  return (
    <View title="Health" sub={found.data && `release ${found.data.version}`}>
      <Answered query={found}>
        {({ components }) =>
          Object.entries(components).map(([name, part]) => (
            <Panel
              key={name}
              title={
                <span className={`row ${part.healthy ? "completed" : "failed"}`}>
                  <Icon name={part.healthy ? "check" : "alert"} />
                  <span className="ink">{name}</span>
                </span>
              }
              sub={part.healthy ? "answers" : part.detail}
            >
              <Facts
                facts={[
                  ["Answered in", part.latency_ms != null ? duration(part.latency_ms / 1000) : null],
                  ...Object.entries(part.facts).map(
                    ([fact, value]) => [fact.replaceAll("_", " "), textOf(value)] as const,
                  ),
                ]}
              />
            </Panel>
          ))
        }
      </Answered>
    </View>
  );
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.map(textOf).join(", ");
  return typeof value === "string" ? value : JSON.stringify(value);
}
