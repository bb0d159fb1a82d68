import { useQuery } from "@tanstack/react-query";
import { workers } from "@/api/queries";
import { useLive } from "@/live/useLive";

/** How many of the workers answer, in the menu. */
export function WorkersCount() {
  const { data } = useQuery(workers);
  useLive([workers.queryKey], { on: "clock", beats: 2 });
  if (!data) return null;
  const online = data.filter((worker) => worker.online).length;
  return <span className="c">{online === data.length ? online : `${online} of ${data.length}`}</span>;
}
