/** The differences of two texts, line by line, with the words that differ in lines that were changed. */

import { diffArrays, diffWordsWithSpace } from "diff";

/** A piece of a line; `isChanged` marks what the other side has not. */
export interface Piece {
  readonly text: string;
  readonly isChanged: boolean;
}

/** One row of two texts side by side; a side that has no such line is null. */
export interface ComparedLine {
  readonly kind: "same" | "changed" | "added" | "removed";
  readonly oldNumber: number | null;
  readonly newNumber: number | null;
  readonly old: readonly Piece[] | null;
  readonly new: readonly Piece[] | null;
}

export interface Comparison {
  readonly lines: readonly ComparedLine[];
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
  /** Whether line ends alone differ. */
  readonly onlyLineEnds: boolean;
}

/** Beyond these a comparison would take too long to wait for. */
const MOST_LINES = 20_000;
const LONGEST_LINE = 2_000;
const MOST_EDITS = 4_000;

/** Compares two texts; null if they are too long or too different to be shown line by line. */
export function compareTexts(old: string, now: string): Comparison | null {
  const [oldLines, newLines] = [splitLines(old), splitLines(now)];
  if (oldLines.length > MOST_LINES || newLines.length > MOST_LINES) return null;
  const blocks = diffArrays(oldLines, newLines, { maxEditLength: MOST_EDITS });
  if (!blocks) return null;
  const lines: ComparedLine[] = [];
  let [oldNumber, newNumber] = [0, 0];
  let [added, removed, changed] = [0, 0, 0];
  for (let at = 0; at < blocks.length; at += 1) {
    const block = blocks[at]!;
    if (!block.added && !block.removed) {
      for (const line of block.value) {
        const piece = [{ text: line, isChanged: false }];
        lines.push({ kind: "same", oldNumber: (oldNumber += 1), newNumber: (newNumber += 1), old: piece, new: piece });
      }
      continue;
    }
    const gone = block.removed ? block.value : [];
    const next = block.removed ? blocks[at + 1] : block;
    const come = next?.added ? next.value : [];
    if (block.removed && next?.added) at += 1;
    const both = Math.min(gone.length, come.length);
    for (let line = 0; line < both; line += 1) {
      const [before, after] = compareWords(gone[line]!, come[line]!);
      lines.push({ kind: "changed", oldNumber: (oldNumber += 1), newNumber: (newNumber += 1), old: before, new: after });
    }
    for (const line of gone.slice(both)) {
      const old = [{ text: line, isChanged: true }];
      lines.push({ kind: "removed", oldNumber: (oldNumber += 1), newNumber: null, old, new: null });
    }
    for (const line of come.slice(both)) {
      const now = [{ text: line, isChanged: true }];
      lines.push({ kind: "added", oldNumber: null, newNumber: (newNumber += 1), old: null, new: now });
    }
    changed += both;
    removed += gone.length - both;
    added += come.length - both;
  }
  return { lines, added, removed, changed, onlyLineEnds: !added && !removed && !changed && old !== now };
}

function splitLines(text: string): string[] {
  const lines = text.split(/\r\n|\r|\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function compareWords(old: string, now: string): [Piece[], Piece[]] {
  const words = old.length + now.length <= LONGEST_LINE ? diffWordsWithSpace(old, now, { maxEditLength: 500 }) : undefined;
  if (!words) return [[{ text: old, isChanged: true }], [{ text: now, isChanged: true }]];
  const before: Piece[] = [];
  const after: Piece[] = [];
  for (const { value, added, removed } of words) {
    if (!added) before.push({ text: value, isChanged: removed });
    if (!removed) after.push({ text: value, isChanged: added });
  }
  return [before, after];
}

/** How two files are compared on the page, by their extensions. */
export type CompareWay = "text" | "image" | "pdf" | "bytes";

const TEXTS: ReadonlySet<string> = new Set(["md", "txt", "csv", "tsv", "xml", "dxf", "json", "yaml", "yml", "html", "htm", "svg", "log", "ini", "tex"]);
const IMAGES: ReadonlySet<string> = new Set(["png", "jpg", "jpeg", "gif", "webp", "bmp", "avif"]);

export function wayToCompare(old: string, now: string): CompareWay {
  if (TEXTS.has(old) && TEXTS.has(now)) return "text";
  if (IMAGES.has(old) && IMAGES.has(now)) return "image";
  return old === "pdf" && now === "pdf" ? "pdf" : "bytes";
}
