/** What is done to a range of cells: copied, pasted, filled, emptied, replaced, split. Only rows in view are touched. */
import { COLUMNS, type Column, FIELDS, type Fields, isEditable, isField } from "./columns";
import { continueSeries } from "./series";
import { type Change, MISSING, type Sheet, readFields } from "./sheet";
import { widthOf } from "./tsv";

/** Rows by their place on the screen and columns by their place in {@link COLUMNS}; the last ones belong to it. */
export interface Range {
  top: number;
  bottom: number;
  left: number;
  right: number;
}

/** Which rows are shown, in the order of the screen: their numbers in the sheet. */
export type View = readonly number[];

export function rangeOf(one: { row: number; column: number }, other: { row: number; column: number }): Range {
  return {
    top: Math.min(one.row, other.row),
    bottom: Math.max(one.row, other.row),
    left: Math.min(one.column, other.column),
    right: Math.max(one.column, other.column),
  };
}

function column(at: number): Column {
  return COLUMNS[at]!;
}

/** Return the texts of a range, whether its rows are drawn or not. */
export function cellsOf(sheet: Sheet, view: View, range: Range, verdict: (row: number) => string): string[][] {
  const rows: string[][] = [];
  for (let at = range.top; at <= range.bottom; at += 1) {
    const row = view[at]!;
    const cells: string[] = [];
    for (let one = range.left; one <= range.right; one += 1) {
      cells.push(column(one) === "verdict" ? verdict(row) : sheet.text(row, column(one)));
    }
    rows.push(cells);
  }
  return rows;
}

/** Return what a value in a column means for the fields of a row; a whole new name is split into them. */
export function changesOf(sheet: Sheet, row: number, name: Column, value: string): Change[] {
  if (isField(name)) return [{ row, field: name, value }];
  if (name !== "newName") return [];
  const wanted = value.trim();
  if (!wanted) return FIELDS.map((field) => ({ row, field, value: null }));
  if (wanted === sheet.newName(row)) return [];
  const fields = readFields(wanted);
  return FIELDS.flatMap((field) => {
    const part = fields[field] === MISSING ? "" : fields[field];
    return part ? [{ row, field, value: part }] : [];
  });
}

export interface Pasted {
  changes: Change[];
  /** How many rows of what was pasted found no row in the sheet. */
  rowsLeft: number;
  /** How many cells lay over columns that cannot be typed into. */
  cellsLeft: number;
  /** Names that no row has, where rows are found by their names. */
  unknown: string[];
  /** Names that several rows have, where rows are found by their names. */
  ambiguous: string[];
}

/**
 * Return the changes of a paste into a range.
 *
 * One value fills the range, and a block that fits into it a whole number of times is repeated, as in a spreadsheet;
 * any other block is put at the top left corner. Pasted over the column of the names that files have, the rows are found
 * by these names, wherever they are in the sheet.
 */
export function pasteBlock(sheet: Sheet, view: View, range: Range, block: readonly (readonly string[])[]): Pasted {
  if (column(range.left) === "original" && block.some((row) => row.length > 1)) return pasteByName(sheet, block);
  const height = block.length;
  const width = widthOf(block);
  const pasted: Pasted = { changes: [], rowsLeft: 0, cellsLeft: 0, unknown: [], ambiguous: [] };
  if (!height || !width) return pasted;
  const rows = range.bottom - range.top + 1;
  const columns = range.right - range.left + 1;
  const down = rows % height === 0 ? rows : height;
  const across = columns % width === 0 ? columns : width;
  for (let at = 0; at < down; at += 1) {
    const row = view[range.top + at];
    if (row === undefined) {
      pasted.rowsLeft += 1;
      continue;
    }
    const cells = block[at % height]!;
    for (let one = 0; one < across; one += 1) {
      const value = cells[one % width];
      const name = COLUMNS[range.left + one];
      if (value === undefined) continue;
      if (name === undefined || !isEditable(name)) pasted.cellsLeft += 1;
      else for (const change of changesOf(sheet, row, name, value)) pasted.changes.push(change);
    }
  }
  return pasted;
}

/** The first cell of each row is the name, or path, that a file has; the others go into the columns behind it. */
function pasteByName(sheet: Sheet, block: readonly (readonly string[])[]): Pasted {
  const pasted: Pasted = { changes: [], rowsLeft: 0, cellsLeft: 0, unknown: [], ambiguous: [] };
  const numbers = new Map<string, number[]>();
  sheet.rows.forEach((row, number) => {
    for (const key of row.path === row.name ? [row.name] : [row.name, row.path]) {
      const there = numbers.get(key);
      if (there) there.push(number);
      else numbers.set(key, [number]);
    }
  });
  for (const [first = "", ...cells] of block) {
    const name = first.trim().replaceAll("\\", "/").replace(/^\.\//, "");
    const found = numbers.get(name) ?? [];
    if (found.length !== 1) {
      if (name) (found.length ? pasted.ambiguous : pasted.unknown).push(name);
      continue;
    }
    // Old and new name side by side is the usual list; then the second cell is the whole new name.
    const isPair = cells.length === 1;
    cells.forEach((value, at) => {
      const name = isPair ? "newName" : COLUMNS[at + 1];
      if (name === undefined || !isEditable(name)) pasted.cellsLeft += 1;
      else for (const change of changesOf(sheet, found[0]!, name, value)) pasted.changes.push(change);
    });
  }
  return pasted;
}

/** Return the changes that repeat the first row of a range, or the row above where it has one row only. */
export function fillDown(sheet: Sheet, view: View, range: Range): Change[] {
  const source = range.top === range.bottom ? range.top - 1 : range.top;
  const from = view[source];
  if (from === undefined) return [];
  const changes: Change[] = [];
  for (let at = source + 1; at <= range.bottom; at += 1) {
    for (const name of COLUMNS.slice(range.left, range.right + 1)) {
      if (isField(name)) changes.push({ row: view[at]!, field: name, value: sheet.value(from, name) });
    }
  }
  return changes;
}

/** Return the changes that repeat the first column of a range, or the column left of it where it has one only. */
export function fillRight(sheet: Sheet, view: View, range: Range): Change[] {
  const source = range.left === range.right ? range.left - 1 : range.left;
  const name = COLUMNS[source];
  if (name === undefined || name === "verdict") return [];
  const changes: Change[] = [];
  for (let at = range.top; at <= range.bottom; at += 1) {
    const row = view[at]!;
    for (const target of COLUMNS.slice(source + 1, range.right + 1)) {
      if (isField(target)) changes.push({ row, field: target, value: sheet.text(row, name) });
    }
  }
  return changes;
}

/**
 * Return the changes that continue, in each column of a range, what its first `seeds` rows begin.
 *
 * Without a number of seeds it is the two first rows if both are typed and differ, else the first row.
 */
export function fillSeries(sheet: Sheet, view: View, range: Range, seeds?: number): Change[] {
  const changes: Change[] = [];
  for (const name of COLUMNS.slice(range.left, range.right + 1)) {
    if (!isField(name)) continue;
    const value = (at: number) => sheet.value(view[at]!, name);
    const isSeed = (at: number) => at <= range.bottom && sheet.isTyped(view[at]!, name);
    const both = range.bottom - range.top >= 2 && isSeed(range.top) && isSeed(range.top + 1);
    const count = seeds ?? (both && value(range.top) !== value(range.top + 1) ? 2 : 1);
    const first = Array.from({ length: count }, (_, at) => value(range.top + at));
    const rest = range.bottom - range.top + 1 - count;
    continueSeries(first, Math.max(rest, 0)).forEach((text, at) => {
      changes.push({ row: view[range.top + count + at]!, field: name, value: text });
    });
  }
  return changes;
}

/** Return the changes that take what is typed in a range back. */
export function emptyRange(view: View, range: Range): Change[] {
  const changes: Change[] = [];
  const names = COLUMNS.slice(range.left, range.right + 1);
  const fields = names.includes("newName") ? FIELDS : names.filter(isField);
  for (let at = range.top; at <= range.bottom; at += 1) {
    for (const field of fields) changes.push({ row: view[at]!, field, value: null });
  }
  return changes;
}

/** Return the changes that give one column of some rows new texts. */
export function replaceIn(sheet: Sheet, rows: readonly number[], name: Column, texts: readonly string[]): Change[] {
  if (!isEditable(name)) return [];
  return rows.flatMap((row, at) => {
    const after = texts[at];
    return after === undefined || after === sheet.text(row, name) ? [] : changesOf(sheet, row, name, after);
  });
}

/** Return the changes that give rows the fields that were found in their names; null where nothing was. */
export function splitRows(rows: readonly number[], found: readonly (Partial<Fields> | null)[]): Change[] {
  return rows.flatMap((row, at) =>
    FIELDS.flatMap((field): Change[] => {
      const value = found[at]?.[field];
      return value === undefined ? [] : [{ row, field, value }];
    }),
  );
}
