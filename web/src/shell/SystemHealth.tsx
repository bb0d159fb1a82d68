import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { health } from "@/api/queries";
import { Icon } from "@/components/Icon";
import { useLive } from "@/live/useLive";

/** Whether store, broker and workers answer, in the foot of the menu. */
export function SystemHealth() {
  const { data, error } = useQuery(health);
  useLive([health.queryKey], { on: "clock", beats: 2 });
  const ill = Object.entries(data?.components ?? {}).filter(([, part]) => !part.healthy);
  const isIll = ill.length > 0;
  return (
    <Link to="/health" className={isIll ? "failed" : ""}>
      <Icon name={isIll ? "alert" : "heart"} size={12} />
      {data === undefined
        ? error
          ? "Not known: no answer"
          : "Being asked…"
        : isIll
          ? `Not well: ${ill.map(([name]) => name).join(", ")}`
          : "Store and broker answer"}
    </Link>
  );
}
