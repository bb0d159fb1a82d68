import { useQuery } from "@tanstack/react-query";
import { queues } from "@/api/queries";
import { count } from "@/format/format";
import { useLive } from "@/live/useLive";

/** How many queues there are, in the menu. */
export function QueuesCount() {
  const { data } = useQuery(queues);
  useLive([queues.queryKey], { on: "clock", beats: 2 });
  return data && <span className="c">{count(data.queues.length)}</span>;
}
