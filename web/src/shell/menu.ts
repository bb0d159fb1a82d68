/** What a route says about itself (`staticData`): its title, and its line in the menu. */
import { useQuery } from "@tanstack/react-query";
import { type AnyRouter, useRouter } from "@tanstack/react-router";
import type { ComponentType } from "react";
import { me, type Scope } from "@/api/session";
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
  /** What one has to be allowed to do to see anything there; without it, everybody sees it. */
  readonly scope?: Scope;
}

declare module "@tanstack/react-router" {
  interface StaticDataRouteOption {
    menu?: MenuEntry;
  }
}

export interface MenuItem extends MenuEntry {
  readonly path: string;
}

/** The views that stand in the menu of the caller, in the order of the registry. */
export function useMenu(): readonly MenuItem[] {
  const router = useRouter();
  const scopes = useQuery(me).data?.scopes ?? [];
  return menuOf(router).filter(({ scope }) => scope === undefined || scopes.includes(scope));
}

function menuOf(router: AnyRouter): MenuItem[] {
  const routes: Record<string, { fullPath: string; options: { staticData?: { menu?: MenuEntry } } }> =
    router.routesByPath;
  return Object.values(routes).flatMap(({ fullPath, options }) =>
    options.staticData?.menu ? [{ path: fullPath, ...options.staticData.menu }] : [],
  );
}
