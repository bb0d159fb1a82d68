/** What a route says about itself (`staticData`): its title, and its line in the menu. */
import { type AnyRouter, useRouter } from "@tanstack/react-router";
import type { ComponentType } from "react";
import type { IconName } from "@/components/Icon";

export interface MenuEntry {
  readonly label: string;
  readonly icon: IconName;
  /** The letter after `g` that goes there. */
  readonly letter: string;
  /** Below the line, or above it. */
  readonly group: "work" | "system";
  /** A figure beside the label, and what of it needs somebody. */
  readonly Count?: ComponentType;
}

declare module "@tanstack/react-router" {
  interface StaticDataRouteOption {
    menu?: MenuEntry;
  }
}

export interface MenuItem extends MenuEntry {
  readonly path: string;
}

/** The views that stand in the menu, in the order of the registry. */
export function useMenu(): readonly MenuItem[] {
  return menuOf(useRouter());
}

function menuOf(router: AnyRouter): MenuItem[] {
  const routes: Record<string, { fullPath: string; options: { staticData?: { menu?: MenuEntry } } }> =
    router.routesByPath;
  return Object.values(routes).flatMap(({ fullPath, options }) =>
    options.staticData?.menu ? [{ path: fullPath, ...options.staticData.menu }] : [],
  );
}
