// Keys and the actions that they start.
import type { ReadonlySignal } from "@preact/signals";

export interface Action {
  readonly id: string;
  readonly label: string;
  /** As a person reads it: "Ctrl K", "/", "Alt 1", "F6". */
  readonly keys?: string | undefined;
  run(): void | Promise<void>;
  readonly enabled?: ReadonlySignal<boolean> | undefined;
  /** Shows the action as a button in the bar, too. */
  readonly inBar?: "primary" | "plain" | undefined;
  /** The drawing of its button in the bar, where all pages have one. */
  readonly icon?: string;
}

/** What browsers call a key by another name. */
const NAMES: Record<string, string> = { "↑": "ArrowUp", "↓": "ArrowDown", "←": "ArrowLeft", "→": "ArrowRight", Space: " " };

/** Whether an event is of the keys that a text like "Ctrl Shift Z" names; on a Mac the command key is Ctrl as well. */
function isPressed(keys: string, event: KeyboardEvent): boolean {
  const parts = keys.split(" ");
  const key = parts.pop() ?? "";
  const wants = (name: string) => parts.includes(name);
  if (wants("Ctrl") !== (event.ctrlKey || event.metaKey) || wants("Alt") !== event.altKey) return false;
  // "?" needs Shift on most keyboards: of a sign only the sign counts.
  const isSign = /^[^a-z0-9]$/i.test(key);
  if (!isSign && wants("Shift") !== event.shiftKey) return false;
  // With Alt some keyboards write another letter; a digit is known by its place.
  if (/^\d$/.test(key)) return event.key === key || event.code === `Digit${key}`;
  return event.key.toLowerCase() === (NAMES[key] ?? key).toLowerCase();
}

/** Whether keys that only write a letter belong to what has the focus. */
function isWritingIn(target: EventTarget | undefined): boolean {
  return target instanceof Element && target.matches(":read-write, select");
}

/** What writes in a field, or edits it: it starts nothing while somebody writes there. */
const OF_A_FIELD = /^(.|Shift .|Ctrl (Shift )?[ACVXYZ]|Delete|Space|Enter|Home|End)$/u;

/** Returns the first action that can run now and has the keys of an event. */
export function actionOf(actions: Iterable<Action>, event: KeyboardEvent): Action | undefined {
  const writing = isWritingIn(event.composedPath()[0]);
  for (const action of actions) {
    if (!action.keys || action.enabled?.value === false) continue;
    for (const keys of action.keys.split(" or ")) {
      if (isPressed(keys, event) && !(writing && OF_A_FIELD.test(keys))) return action;
    }
  }
  return undefined;
}
