import "@/api/early"; // it asks while all else is still being run
// First: components.css gives the layers their order.
import "@/styles/tokens.css";
import "@/styles/components.css";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ApiError } from "@/api/client";
import { startKeys } from "@/commands/commands";
import { startLive } from "@/live/source";
import { applyPreferences } from "@/shell/preferences";
import { createPageRouter } from "./router";

/** An answer that is younger is not asked for again by another view that shows it. */
const FRESH_MS = 2000;

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: FRESH_MS,
      // A refusal is not asked for twice, and what does not answer is asked again by the clock.
      retry: (failures, error) => failures < 1 && !(error instanceof ApiError),
    },
  },
});

applyPreferences();
startKeys();
startLive();

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <RouterProvider router={createPageRouter(queries)} />
      </QueryClientProvider>
    </StrictMode>,
  );
}
