/**
 * The registry of views: one folder each, whose route.ts says where it is and how it stands in the menu. A new view gets
 * a line here. The order is that of the menu; the first four have a tab on phones.
 */
import { rootRoute } from "@/shell/rootRoute";
import { route as audit } from "./audit/route";
import { route as failures } from "./failures/route";
import { route as health } from "./health/route";
import { route as job } from "./job/route";
import { route as jobs } from "./jobs/route";
import { route as keys } from "./keys/route";
import { route as overview } from "./overview/route";
import { route as queues } from "./queues/route";
import { route as releases } from "./releases/route";
import { route as tree } from "./tree/route";
import { typeRoute, route as types } from "./types/route";
import { route as webhooks } from "./webhooks/route";
import { route as workers } from "./workers/route";

export const routeTree = rootRoute.addChildren([
  overview,
  jobs,
  job,
  tree,
  failures,
  queues,
  workers,
  types,
  typeRoute,
  releases,
  health,
  audit,
  keys,
  webhooks,
]);
