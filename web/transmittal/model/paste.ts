/** Rows of a list of files on the clipboard: as a spreadsheet gives them, and as it takes them. */
import { formatTsv, parseTsv } from "../../classifier/model/tsv";
import { HEADINGS } from "../../shared/transmittal/form";
import type { ListedFile } from "../../shared/transmittal/data";
import { parseFilename } from "../../shared/naming";
import type { RowField } from "./draft";

export type PastedRow = Record<RowField, string>;

/** Why a text is no list of files; `wide` is the number of columns that is too many. */
export class PasteError extends Error {
  override readonly name = "PasteError";
}

/** Without digits and hyphens: a tracking number may begin like a head, such as EXT-CIV-0001. */
const HEAD = /^(?:#|(?:tracking|document|number|title|rev|status|ext)[^\d-]*)$/i;
const MOST_COLUMNS = 5;
const FEWEST_COLUMNS = 3;
/** Tracking number, title, revision, status, extension in a list that was copied from here. */
const COPIED = { columns: 8, order: [1, 2, 3, 4, 5] } as const;

/**
 * Returns the rows of a pasted list: tracking number, title, revision, then status and extension where they are given.
 *
 * A line of heads and rows without a tracking number are left out; `A (IFR)` in the third of three columns is a revision
 * with its status. Throws PasteError for another number of columns.
 */
export function parsePaste(text: string, wrongColumns: (count: number) => string): PastedRow[] {
  const rows: PastedRow[] = [];
  for (const cells of parseTsv(text).map((row) => row.map((cell) => cell.trim()))) {
    const isCopied = cells.length === COPIED.columns && /^(#|\d*)$/.test(cells[0]!);
    while (!isCopied && cells.length > FEWEST_COLUMNS && !cells.at(-1)) cells.pop();
    if (!cells.some(Boolean)) continue;
    const own = isCopied ? COPIED.order.map((at) => cells[at]!) : cells;
    if (own.length > MOST_COLUMNS || own.length < FEWEST_COLUMNS) throw new PasteError(wrongColumns(own.length));
    if (HEAD.test(cells[0]!)) continue;
    const [trackingNumber = "", title = "", third = "", fourth = "", extension = ""] = own;
    if (!trackingNumber) continue;
    const split = own.length === FEWEST_COLUMNS ? /^(\S+)\s+\(?([^()]*)\)?$/.exec(third) : null;
    const [revision, status] = split ? [split[1]!, split[2]!.trim()] : [third, fourth];
    rows.push({ trackingNumber, title, revision, status, extension: extension.replace(/^\./, "") });
  }
  return rows;
}

/** Returns a list of files as a text for a spreadsheet. */
export function formatRows(files: readonly ListedFile[]): string {
  const heads = [HEADINGS[0], "TRACKING NUMBER", "TITLE", "REVISION", "STATUS", "EXT", "SIZE", "SHA256"];
  return formatTsv([heads, ...cellsOf(files)]);
}

export function cellsOf(files: readonly ListedFile[]): string[][] {
  return files.map((row, number) => {
    const extension = parseFilename(row.filename).extension;
    return [String(number + 1), row.trackingNumber, row.title, row.revision, row.status, extension, String(row.size), row.sha256];
  });
}
