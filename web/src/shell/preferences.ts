/** What a viewer has chosen for this browser. It is no part of a URL: a colleague has a taste of their own. */
import { useSyncExternalStore } from "react";

const CHOICES = {
  theme: ["system", "light", "dark"],
  density: ["normal", "compact", "comfortable"],
} as const;

type Name = keyof typeof CHOICES;
type Preferences = { readonly [Each in Name]: (typeof CHOICES)[Each][number] };

const KEY = "jobtracker.preferences";
const listeners = new Set<() => void>();
let preferences: Preferences = { theme: "system", density: "normal", ...stored() };

function stored(): Partial<Preferences> {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    const isChoice = ([name, value]: [string, unknown]) =>
      name in CHOICES && (CHOICES[name as Name] as readonly unknown[]).includes(value);
    return Object.fromEntries(Object.entries(found as object).filter(isChoice));
  } catch {
    return {}; // no storage, or somebody else's
  }
}

/** Put the choices on the root element, where the tokens look for them. */
export function applyPreferences(): void {
  const { dataset } = document.documentElement;
  dataset.theme = preferences.theme;
  dataset.density = preferences.density;
}

function choose(next: Preferences): void {
  preferences = next;
  applyPreferences();
  try {
    localStorage.setItem(KEY, JSON.stringify(next));
  } catch {
    // It lasts until the page is left.
  }
  for (const listener of listeners) listener();
}

/** Go on to the next theme or density. */
export function nextChoice(name: Name): void {
  const choices: readonly string[] = CHOICES[name];
  const next = choices[(choices.indexOf(preferences[name]) + 1) % choices.length];
  choose({ ...preferences, [name]: next });
}

export function usePreferences(): Preferences {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => preferences,
  );
}
