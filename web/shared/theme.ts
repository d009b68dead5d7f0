// Light or dark, as the system says or as the person chose.
import { effect, signal, type Signal } from "@preact/signals";
import { recall, remember } from "./remembered.ts";

export const THEMES = ["auto", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

export const theme: Signal<Theme> = signal("auto");

/** Follows what was chosen on this machine, on all pages of ours that are open. */
export function followTheme(): void {
  const read = () => {
    const found = recall("theme");
    theme.value = THEMES.find((one) => one === found) ?? "auto";
  };
  read();
  addEventListener("storage", read);
  effect(() => {
    document.documentElement.dataset.theme = theme.value;
  });
}

/** Takes the next theme of the three and keeps it. */
export function changeTheme(): void {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? "auto";
  remember("theme", theme.value);
}
