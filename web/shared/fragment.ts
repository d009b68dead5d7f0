// The state of a view stands in the address after the #, where a person can read it and no server sees it.
import { effect, signal, type Signal } from "@preact/signals";

const WRITE_AFTER_MS = 250; // browsers count how often a page changes its address

/** What stands after the #; assign a new value to change it. */
export const fragment: Signal<URLSearchParams> = signal(new URLSearchParams(readHash()));

function readHash(): string {
  return typeof location === "undefined" ? "" : location.hash.slice(1);
}

/** Returns parameters as they are written after the #: `q=status:IFC+!draft&sort=-date`. */
export function formatFragment(parameters: URLSearchParams): string {
  const encode = (part: string) =>
    encodeURIComponent(part)
      .replace(/%20/g, "+")
      .replace(/%(3A|2C|2F|40|3B|24|5E|7C)/g, (escape) => decodeURIComponent(escape));
  return [...parameters].map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&");
}

type Changes = Readonly<Record<string, string | null>>;

/** Changes some parameters; null removes one. */
export function setFragment(changes: Changes): void {
  fragment.value = changed(changes);
}

/** The same; the view before is one step back in the browser. */
export function pushFragment(changes: Changes): void {
  const next = changed(changes);
  if (next === fragment.peek()) return;
  writeAddress();
  history.pushState(null, "", addressOf(next));
  fragment.value = next;
}

function changed(changes: Changes): URLSearchParams {
  const next = new URLSearchParams(fragment.peek());
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") next.delete(name);
    else next.set(name, value);
  }
  return formatFragment(next) === formatFragment(fragment.peek()) ? fragment.peek() : next;
}

/** Returns the address of this view. */
export function linkToView(): string {
  return new URL(addressOf(fragment.peek()), location.href).href;
}

function addressOf(parameters: URLSearchParams): string {
  const text = formatFragment(parameters);
  // An address without a # would load the page anew from some servers' point of view; "#" alone does not.
  return text ? `#${text}` : "#";
}

let waiting: ReturnType<typeof setTimeout> | undefined;

let questions = 0;

function writeAddress(): void {
  clearTimeout(waiting);
  waiting = undefined;
  if (questions) return;
  const text = formatFragment(fragment.peek());
  if (text !== readHash() && (text || readHash())) history.replaceState(history.state, "", addressOf(fragment.peek()));
}

/** Leaves the address as it is while the browser asks a person: a change of it would take the question away. */
export async function keepAddressWhile<T>(asking: Promise<T>): Promise<T> {
  questions += 1;
  try {
    return await asking;
  } finally {
    questions -= 1;
    writeAddress();
  }
}

/** Keeps the address and the signal in step; called once by the shell. */
export function followAddress(): void {
  const read = () => {
    clearTimeout(waiting);
    waiting = undefined;
    if (readHash() !== formatFragment(fragment.peek())) fragment.value = new URLSearchParams(readHash());
  };
  addEventListener("hashchange", read);
  addEventListener("popstate", read);
  addEventListener("pagehide", writeAddress);
  effect(() => {
    void fragment.value;
    clearTimeout(waiting);
    waiting = setTimeout(writeAddress, WRITE_AFTER_MS);
  });
}
