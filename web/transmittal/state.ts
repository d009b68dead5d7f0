/** What the page knows now. */
import { computed, effect, signal, type Signal } from "@preact/signals";
import { formatDate } from "../shared/format";
import { visible } from "../shared/visible";
import type { Place } from "../shared/files";
import { fragment, pushFragment } from "../shared/fragment";
import type { FolderList, JudgedPage, Page, Report } from "../shared/transmittal/delivery";
import type { KnownKey } from "../shared/transmittal/knownKeys";
import type { SigningKey } from "../shared/transmittal/signatures";
import { EMPTY, problemsOfDraft, type Draft } from "./model/draft";
import { findNotNewer, type IssuedDocuments } from "./model/issued";
import { NOTHING, type Own } from "./model/own";
import { text } from "./text";

export const SCREENS = ["start", "edit", "view", "check", "compare"] as const;
export type Screen = (typeof SCREENS)[number];

/** A transmittal that was opened: where it is, what it is worth, and its files where they were looked at. */
export interface Loaded {
  readonly page: Page;
  readonly judged: JudgedPage;
  /** Where the page can be written again; null for a page alone. */
  readonly place: Place | null;
  /** The folder in the place that its files are in. */
  readonly folder: string;
  readonly list: FolderList | null;
  readonly report: Report | null;
}

/** Something that takes a while, and can be stopped. */
export interface Work {
  readonly label: string;
  readonly done: number;
  readonly all: number;
  stop(): void;
}

export const own: Signal<Own> = signal(NOTHING);
export const knownKeys: Signal<readonly KnownKey[]> = signal([]);
export const signingKey: Signal<{ readonly key: SigningKey; readonly fingerprint: string } | null> = signal(null);
export const draft: Signal<Draft> = signal(EMPTY);
export const loaded: Signal<Loaded | null> = signal(null);
/** The transmittals of a folder that has several, to choose from. */
export const choices: Signal<{ readonly pages: readonly Page[]; choose(page: Page): void } | null> = signal(null);
export const earlier: Signal<Page | null> = signal(null);
/** What an archive has issued, by the index of that name. */
export const issued: Signal<{ readonly name: string; readonly documents: IssuedDocuments } | null> = signal(null);
export const work: Signal<Work | null> = signal(null);
export const selected: Signal<ReadonlySet<number>> = signal(new Set());
export const edited: Signal<number> = signal(0);
/** What the bar shows: where the files of what is in hand are. */
export const place: Signal<Place | null> = signal(null);

export const screen = computed<Screen>(() => {
  const asked = fragment.value.get("screen");
  return SCREENS.find((one) => one === asked) ?? "start";
});

export function goTo(next: Screen): void {
  pushFragment({ screen: next === "start" ? null : next });
}

export const today = (): string => formatDate(Date.now());

/** Whether the draft is what is worked on, and not what was opened. */
const isDraftInHand: Signal<boolean> = signal(false);
effect(() => {
  if (screen.value === "edit") isDraftInHand.value = true;
  else if (screen.value === "check") isDraftInHand.value = false;
});
/** The transmittal that was opened, where it is what is viewed, compared and copied; null where that is the draft. */
export const inHand = computed<Loaded | null>(() => (isDraftInHand.value ? null : loaded.value));

export const problems = computed(() => problemsOfDraft(draft.value, today()));
/** By row: which revision that was issued it is not newer than. */
export const notes = computed<ReadonlyMap<number, string>>(() => {
  const known = issued.value;
  if (!known) return new Map();
  return new Map(
    draft.value.rows.flatMap(({ id, trackingNumber, revision }) => {
      const found = findNotNewer(known.documents, trackingNumber, revision);
      return found ? [[id, text.issued.notNewer(visible(revision), found)]] : [];
    }),
  );
});
export const isEmpty = computed(() => draft.value.rows.length === 0 && Object.values(draft.value.fields).filter(Boolean).length <= 1);

const before: Draft[] = [];
const after: Draft[] = [];
const historyLength = signal(0);
const MOST_STEPS = 200;
let openStep = "";

export const canUndo = computed(() => (void historyLength.value, before.length > 0));
export const canRedo = computed(() => (void historyLength.value, after.length > 0));

/** The draft as it was opened, or saved last. */
const kept: Signal<Draft> = signal(EMPTY);
export const isUnsaved = computed(() => !isEmpty.value && draft.value !== kept.value);

/** Says that a draft is on a disk, or can be made again from what is. */
export function keep(saved: Draft): void {
  kept.value = saved;
}

/** Begins with another draft; undo brings back the one before, which leaving the page still loses. */
export function begin(next: Draft, from: Place | null = null): void {
  if (!isUnsaved.peek()) keep(next);
  change(next);
  loaded.value = null;
  place.value = from;
}

/** Takes a changed draft. Changes of one `step` after the other, such as the letters of a field, are undone together. */
export function change(next: Draft, step = ""): void {
  if (next === draft.peek()) return;
  if (!step || step !== openStep) before.push(draft.peek());
  if (before.length > MOST_STEPS) before.shift();
  openStep = step;
  after.length = 0;
  draft.value = next;
  historyLength.value += 1;
}

export function undo(): void {
  step(before, after);
}

export function redo(): void {
  step(after, before);
}

function step(from: Draft[], to: Draft[]): void {
  const next = from.pop();
  if (!next) return;
  to.push(draft.peek());
  openStep = "";
  edited.value = 0;
  draft.value = next;
  historyLength.value += 1;
}
