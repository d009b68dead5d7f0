/** What people do to the sheet: every act is one edit, which one undo takes back. */
import { addProblem, showToast } from "../shared/shell";
import { STATUSES } from "../shared/statuses";
import { COLUMNS, type Column, type Fields } from "./model/columns";
import {
  type Range,
  cellsOf,
  changesOf,
  emptyRange,
  fillDown,
  fillRight,
  fillSeries,
  pasteBlock,
  replaceIn,
  splitRows,
} from "./model/edits";
import type { Change } from "./model/sheet";
import { formatHtmlTable, formatTsv, parseTsv, widthOf } from "./model/tsv";
import { model, range, showChanged, verdictText, view, work } from "./state";
import { text } from "./text";

/** Make changes; returns how many cells they changed. While files are renamed, nothing is typed. */
function change(label: string, changes: readonly Change[]): number {
  const shown = model.peek();
  if (!shown || work.peek()) return 0;
  const before = changes.map(({ row, field }) => shown.sheet.value(row, field));
  const rows = shown.sheet.edit(label, changes);
  showChanged(rows);
  return changes.filter(({ row, field }, at) => shown.sheet.value(row, field) !== before[at]).length;
}

/** Type a value into a cell. A status in small letters is meant in capitals. */
export function commit(at: number, column: Column, value: string): void {
  const shown = model.peek();
  const row = view.peek()[at];
  if (!shown || row === undefined) return;
  const upper = value.trim().toUpperCase();
  const meant = column === "status" && STATUSES.has(upper) ? upper : value;
  change(text.labels.edit, changesOf(shown.sheet, row, column, meant));
}

const MOST_SUGGESTED = 12;

/** Return what a cell may get: a status of the list, or a tracking number that is in the sheet. */
export function suggest(column: Column, written: string): { value: string; note: string }[] {
  const wanted = written.trim().toLowerCase();
  if (column === "status") {
    return [...STATUSES]
      .filter(([code, meaning]) => code.toLowerCase().startsWith(wanted) || (wanted.length > 2 && meaning.includes(wanted)))
      .map(([value, note]) => ({ value, note }));
  }
  const shown = model.peek();
  if (column !== "tracking" || !shown) return [];
  const seen = new Set<string>();
  for (const row of shown.sheet.rows) {
    const value = row.typed.tracking ?? row.read.tracking;
    if (value && value.toLowerCase().startsWith(wanted) && value !== written) seen.add(value);
    if (seen.size === MOST_SUGGESTED) break;
  }
  return [...seen].sort().map((value) => ({ value, note: "" }));
}

export function copy(selected: Range, data: DataTransfer): void {
  const shown = model.peek();
  if (!shown || !view.peek().length) return;
  const cells = cellsOf(shown.sheet, view.peek(), selected, (row) => verdictText(shown.checks, row));
  data.setData("text/plain", formatTsv(cells));
  data.setData("text/html", formatHtmlTable(cells));
  showToast(text.copied(cells.length, cells[0]?.length ?? 0));
}

export function cut(selected: Range, data: DataTransfer): void {
  copy(selected, data);
  change(text.labels.cut, emptyRange(view.peek(), selected));
}

/** Paste cells of a spreadsheet; returns the range that they lie in. */
export function paste(selected: Range, written: string): Range {
  const shown = model.peek();
  if (!shown) return selected;
  if (!written) {
    showToast(text.pasteNothing);
    return selected;
  }
  const block = parseTsv(written);
  const pasted = pasteBlock(shown.sheet, view.peek(), selected, block);
  const count = change(text.labels.paste, pasted.changes);
  const { unknown, ambiguous } = pasted;
  if (pasted.rowsLeft) addProblem(text.labels.paste, text.pasteRowsLeft(pasted.rowsLeft));
  if (pasted.cellsLeft) addProblem(text.labels.paste, text.pasteCellsLeft(pasted.cellsLeft));
  if (unknown.length) addProblem(text.labels.paste, text.pasteUnknown(unknown.length, unknown[0]!));
  if (ambiguous.length) addProblem(text.labels.paste, text.pasteAmbiguous(ambiguous.length, ambiguous[0]!));
  showToast(text.pasted(count), count ? undoLast() : undefined);
  const width = widthOf(block);
  const isOne = block.length === 1 && width === 1;
  if (isOne || selected.left === 0) return selected;
  return {
    top: selected.top,
    left: selected.left,
    bottom: Math.min(Math.max(selected.bottom, selected.top + block.length - 1), view.peek().length - 1),
    right: Math.min(Math.max(selected.right, selected.left + width - 1), COLUMNS.length - 1),
  };
}

export function clear(selected: Range): void {
  change(text.labels.clear, emptyRange(view.peek(), selected));
}

function fill(label: string, changes: readonly Change[]): void {
  const count = change(label, changes);
  if (changes.length) showToast(text.filled(count), count ? undoLast() : undefined);
  else showToast(text.nothingToFill);
}

export function fillRangeDown(selected: Range): void {
  const shown = model.peek();
  if (shown) fill(text.labels.fillDown, fillDown(shown.sheet, view.peek(), selected));
}

export function fillRangeRight(selected: Range): void {
  const shown = model.peek();
  if (shown) fill(text.labels.fillRight, fillRight(shown.sheet, view.peek(), selected));
}

/** Continue what the first rows of a range begin; 0 seeds are found by themselves. */
export function fillRangeSeries(selected: Range, seeds: number): void {
  const shown = model.peek();
  if (shown) fill(text.labels.series, fillSeries(shown.sheet, view.peek(), selected, seeds || undefined));
}

export function undo(): void {
  const shown = model.peek();
  if (!shown || work.peek()) return;
  const label = shown.sheet.undoLabel;
  showChanged(shown.sheet.undo());
  showToast(label ? text.undone(label) : text.nothingToUndo);
}

/** Return what undoes the edit that was made now, and no other one. */
function undoLast(): () => void {
  const made = model.peek()?.sheet.lastEdit;
  return () => {
    if (made && model.peek()?.sheet.lastEdit === made) undo();
    else showToast(text.undoneAlready);
  };
}

export function redo(): void {
  const shown = model.peek();
  if (!shown || work.peek()) return;
  const label = shown.sheet.redoLabel;
  showChanged(shown.sheet.redo());
  if (label) showToast(text.redone(label));
}

/** Return the rows that a rule is for: those of the range, or all that are shown where it is in one row. */
export function rowsOfRule(): { rows: readonly number[]; isAll: boolean } {
  const { top, bottom } = range.value;
  const isAll = top === bottom;
  return { rows: isAll ? view.value : view.value.slice(top, bottom + 1), isAll };
}

export function takeCorrections(): void {
  const shown = model.peek();
  if (!shown) return;
  const { rows } = rowsOfRule();
  const changes = rows.flatMap((row) => {
    const { correction } = shown.checks.verdict(row);
    if (!correction) return [];
    const all = changesOf(shown.sheet, row, "newName", correction);
    const differ = all.filter(({ field, value }) => value !== shown.sheet.value(row, field));
    // Where only white space is wrong, no field differs, and yet the name does.
    return differ.length ? differ : all.filter(({ field }) => field === "title");
  });
  const corrected = new Set(changes.map((one) => one.row)).size;
  if (!corrected) showToast(text.noCorrections);
  else {
    change(text.labels.corrections, changes);
    showToast(text.corrected(corrected), undoLast());
  }
}

/** Give the rows the stems of their old names as titles. */
export function titlesFromNames(): void {
  const shown = model.peek();
  if (!shown) return;
  const changes = rowsOfRule().rows.map((row): Change => {
    const stem = shown.sheet.row(row).name.replace(/(?<=.)\.[^.]*$/, "");
    return { row, field: "title", value: stem.replace(/_+/g, " ") };
  });
  fill(text.labels.titleOf, changes);
}

/** Give rows the fields that a pattern found in their names. */
export function applySplit(rows: readonly number[], found: readonly (Partial<Fields> | null)[]): void {
  fill(text.labels.split, splitRows(rows, found));
}

export function applyReplacement(column: Column, rows: readonly number[], texts: readonly string[]): void {
  const shown = model.peek();
  if (!shown) return;
  const count = change(text.labels.replace, replaceIn(shown.sheet, rows, column, texts));
  showToast(text.replaced(count), count ? undoLast() : undefined);
}
