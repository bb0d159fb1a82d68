import type { QueryClient } from "@tanstack/react-query";
import { createRootRouteWithContext, Link } from "@tanstack/react-router";
import { Empty, ErrorNotice, Loading } from "@/components/states";
import { Shell } from "./Shell";
import { View } from "./View";

/** What routes get to load with. */
export interface RouteContext {
  readonly queries: QueryClient;
}

/** What the URL of each view may have. */
export interface AnySearch {
  /** The id of the bulk run that is looked at. */
  bulk?: string;
}

/** The route above all views. */
export const rootRoute = createRootRouteWithContext<RouteContext>()({
  validateSearch: ({ bulk }: Record<string, unknown>): AnySearch => ({
    bulk: typeof bulk === "string" && bulk !== "" ? bulk : undefined,
  }),
  component: Shell,
  pendingComponent: Loading,
  errorComponent: ({ error, reset }) => (
    <View title="Error">
      <ErrorNotice error={error instanceof Error ? error : new Error(String(error))} onRetry={reset} />
    </View>
  ),
  notFoundComponent: () => (
    <View title="Not found">
      <Empty title="There is no such view.">
        <p>The address may be of another release of this page.</p>
        <Link to="/" className="btn primary">
          Go to the overview
        </Link>
      </Empty>
    </View>
  ),
});
