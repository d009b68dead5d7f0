/** What the page shows: the sheet with its checks, which rows in which order, and what is being done. */
import { batch, computed, signal, type Signal } from "@preact/signals";
import type { Place } from "../shared/files";
import { fragment, setFragment } from "../shared/shell";
import { Checks, KINDS, type Kind } from "./model/checks";
import { COLUMNS, type Column, type Fields } from "./model/columns";
import type { Disk } from "./model/disk";
import type { Range, View } from "./model/edits";
import type { Names } from "./model/follow";
import type { Journal } from "./model/journal";
import { Sheet } from "./model/sheet";
import type { Read } from "./reading";

export interface Model {
  readonly sheet: Sheet;
  readonly checks: Checks;
  /** By folder: every name in it. */
  readonly names: Names;
}

export const place: Signal<Place | null> = signal(null);
export const model: Signal<Model | null> = signal(null);
export const disk: Signal<Disk | null> = signal(null);
/** Counts the changes of the sheet: what shows it looks again. */
export const version: Signal<number> = signal(0);

/** The rows on the screen. */
export const view: Signal<View> = signal([]);
/** Whether an edit since would give other rows or another order. */
export const isStale: Signal<boolean> = signal(false);
export const range: Signal<Range> = signal({ top: 0, bottom: 0, left: 1, right: 1 });
/** The row of the sheet that is worked on. */
export const current: Signal<number | null> = signal(null);

export interface Work {
  readonly label: string;
  readonly done: number;
  readonly all: number;
  /** What more is to be said of it. */
  readonly note: string;
  readonly stop: AbortController | null;
}
export const work: Signal<Work | null> = signal(null);
export const reading: Signal<number | null> = signal(null);

/** Renames of this session, for Undo all; with what was typed before, which comes back. */
export interface Run {
  readonly journal: Journal;
  readonly typed: ReadonlyMap<string, Partial<Fields>>;
}
export const runs: Signal<readonly Run[]> = signal([]);

// the filters stand in the address

export const folder = computed(() => fragment.value.get("folder") ?? "");
export const kind = computed<Kind | "">(() => {
  const wanted = fragment.value.get("check") ?? "";
  return (KINDS as readonly string[]).includes(wanted) ? (wanted as Kind) : "";
});
export const words = computed(() => fragment.value.get("q") ?? "");
export const hidesGood = computed(() => fragment.value.get("hide") === "good");
export const sorting = computed<readonly { column: Column; isDown: boolean }[]>(() =>
  (fragment.value.get("sort") ?? "").split(",").flatMap((part) => {
    const column = part.replace(/^-/, "") as Column;
    return COLUMNS.includes(column) ? [{ column, isDown: part.startsWith("-") }] : [];
  }),
);
export const pattern = computed(() => fragment.value.get("pattern") ?? "");

/** Sort by a column, then the other way round, then not; with `add` after the columns before. */
export function sortBy(column: Column, add: boolean): void {
  const now = sorting.peek().find((one) => one.column === column);
  const others = add ? sorting.peek().filter((one) => one.column !== column) : [];
  const next = !now ? [{ column, isDown: false }] : now.isDown ? [] : [{ column, isDown: true }];
  const text = [...others, ...next].map((one) => `${one.isDown ? "-" : ""}${one.column}`).join(",");
  setFragment({ sort: text || null });
}

/** Show a folder that was read; where it is the one from before, what was typed for a file stays typed. */
export function showRead(read: Read, isSamePlace: boolean): void {
  const before = isSamePlace ? model.peek()?.sheet : undefined;
  const sheet = new Sheet(read.files, before);
  const checks = new Checks(sheet, (path) => read.names.get(path) ?? new Set());
  batch(() => {
    model.value = { sheet, checks, names: read.names };
    runs.value = [];
    current.value = null;
    version.value += 1;
    updateView();
  });
}

export function verdictText(checks: Checks, row: number): string {
  const { problem, warnings } = checks.verdict(row);
  return [problem, ...warnings].filter(Boolean).join("; ");
}

/** Filter and sort the rows anew. */
export function updateView(): void {
  const shown = model.peek();
  if (!shown) {
    view.value = [];
    return;
  }
  const { sheet, checks } = shown;
  const inFolder = folder.peek();
  const wanted = kind.peek();
  const isHiding = hidesGood.peek();
  const parts = words.peek().toLowerCase().split(/\s+/).filter(Boolean);
  const rows: number[] = [];
  sheet.rows.forEach((row, number) => {
    if (inFolder && row.folder !== inFolder && !row.folder.startsWith(`${inFolder}/`)) return;
    const verdict = checks.verdict(number);
    if (wanted && !verdict.kinds.includes(wanted)) return;
    if (isHiding && !verdict.kinds.length) return;
    if (parts.length) {
      const all = `${row.path}\n${sheet.newName(number)}\n${verdictText(checks, number)}`.toLowerCase();
      if (!parts.every((part) => all.includes(part))) return;
    }
    rows.push(number);
  });
  const keys = sorting.peek();
  if (keys.length) sortRows(rows, shown, keys);
  batch(() => {
    view.value = rows;
    isStale.value = false;
  });
}

const order = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

function sortRows(rows: number[], { sheet, checks }: Model, keys: readonly { column: Column; isDown: boolean }[]): void {
  const texts = keys.map(({ column }) => {
    const found = new Map<number, string>();
    for (const row of rows) found.set(row, column === "verdict" ? verdictText(checks, row) : sheet.text(row, column));
    return found;
  });
  rows.sort((one, other) => {
    for (const [at, { isDown }] of keys.entries()) {
      const found = order.compare(texts[at]!.get(one)!, texts[at]!.get(other)!);
      if (found) return isDown ? -found : found;
    }
    return one - other;
  });
}

/** Rows were changed: check them, and show it. They stay where they are until somebody asks for it. */
export function showChanged(rows: readonly number[]): void {
  const shown = model.peek();
  if (!shown || !rows.length) return;
  shown.checks.update(rows);
  batch(() => {
    version.value += 1;
    isStale.value ||= Boolean(words.peek() || kind.peek() || hidesGood.peek() || sorting.peek().length);
  });
}
