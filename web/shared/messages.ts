// What a page tells: results that go by themselves, and problems that stay.
import { signal, type Signal } from "@preact/signals";
import { text } from "./text/en.ts";

export interface Toast {
  readonly id: number;
  readonly text: string;
  readonly undo: (() => void) | undefined;
}

export interface Problem {
  readonly subject: string;
  readonly reason: string;
}

export const toasts: Signal<readonly Toast[]> = signal([]);
/** The one line at the foot of the page, read out when it changes: how many rows are shown, what is done now. */
export const status: Signal<string> = signal("");
export const problems: Signal<readonly Problem[]> = signal([]);
export const problemsShown: Signal<boolean> = signal(false);

const MOST_TOASTS = 4;
let lastId = 0;

/** Tells a result for some seconds. With `undo` it has a button that takes the result back. */
export function showToast(text: string, undo?: () => void): void {
  lastId += 1;
  toasts.value = [...toasts.value.slice(1 - MOST_TOASTS), { id: lastId, text, undo }];
}

export function dismissToast(id: number): void {
  toasts.value = toasts.value.filter((one) => one.id !== id);
}

let found: Problem[] = [];
let isWaiting = false;

/** Adds a problem to the list that stays: what it is about, and what is wrong and what to do next. */
export function addProblem(subject: string, reason: string): void {
  found.push({ subject, reason });
  if (isWaiting) return;
  isWaiting = true;
  // A folder with many problems draws the list once, not once a problem.
  setTimeout(() => {
    isWaiting = false;
    problems.value = found.slice();
  }, 30);
}

export function clearProblems(): void {
  found = [];
  problems.value = [];
}

/** Returns problems as lines: `subject: reason`. */
export function formatProblems(list: readonly Problem[]): string {
  return list.map((one) => `${one.subject}: ${one.reason}\n`).join("");
}

/** Puts a text into the clipboard, and says so. */
export async function copyText(what: string, done: string = text.toasts.copied): Promise<void> {
  try {
    await navigator.clipboard.writeText(what);
    showToast(done);
  } catch {
    showToast(text.toasts.notCopied);
  }
}

/** Adds what went wrong in the page itself to the problems, so that nothing is lost without a word. */
export function catchFaults(): void {
  const add = (fault: unknown) => {
    addProblem(text.problems.unexpected, text.problems.unexpectedReason(String(fault)));
  };
  addEventListener("error", (event) => add(event.error ?? event.message));
  addEventListener("unhandledrejection", (event) => add(event.reason));
}
