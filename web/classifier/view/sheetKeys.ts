/** What the keys mean in the sheet while nothing is typed. */
import { COLUMNS } from "../model/columns";

export type Command =
  | "down"
  | "up"
  | "next"
  | "previous"
  | "edit"
  | "list"
  | "selectAll"
  | "series"
  | "collapse"
  | "undo"
  | "redo"
  | "clear"
  | "fillDown"
  | "fillRight";

type Key = Pick<KeyboardEvent, "key" | "altKey" | "ctrlKey" | "metaKey" | "shiftKey">;

/** Return how far a key goes, down and to the right; null if it is no key that moves. */
export function moveOf(pressed: Key, rows: number, page: number): [down: number, right: number] | null {
  if (pressed.altKey) return null;
  const isFar = pressed.ctrlKey || pressed.metaKey;
  const columns = COLUMNS.length;
  switch (pressed.key) {
    case "ArrowDown":
      return [isFar ? rows : 1, 0];
    case "ArrowUp":
      return [isFar ? -rows : -1, 0];
    case "ArrowRight":
      return [0, isFar ? columns : 1];
    case "ArrowLeft":
      return [0, isFar ? -columns : -1];
    case "PageDown":
      return [page, 0];
    case "PageUp":
      return [-page, 0];
    case "Home":
      return [isFar ? -rows : 0, -columns];
    case "End":
      return [isFar ? rows : 0, columns];
    default:
      return null;
  }
}

/** Return what a key does; null leaves it to the field and the page. */
export function commandOf({ key, altKey, ctrlKey, metaKey, shiftKey }: Key): Command | null {
  if (altKey) return key === "ArrowDown" ? "list" : null;
  if (ctrlKey || metaKey) {
    const letter = `${shiftKey ? "Shift " : ""}${key.toLowerCase()}`;
    return CONTROLS.get(letter) ?? null;
  }
  if (key === "Enter") return shiftKey ? "up" : "down";
  if (key === "Tab") return shiftKey ? "previous" : "next";
  return PLAIN.get(key) ?? null;
}

const CONTROLS = new Map<string, Command>([
  ["z", "undo"],
  ["Shift z", "redo"],
  ["y", "redo"],
  ["a", "selectAll"],
  ["d", "fillDown"],
  ["Shift d", "series"],
  ["r", "fillRight"],
]);
const PLAIN = new Map<string, Command>([
  ["F2", "edit"],
  ["Delete", "clear"],
  ["Backspace", "clear"],
  ["Escape", "collapse"],
]);
