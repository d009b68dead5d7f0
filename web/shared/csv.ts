/** Tables as CSV for spreadsheets, and as text for their clipboard; a cell can never become a formula. */

/** With this, a spreadsheet knows that the text is UTF-8. */
export const BYTE_ORDER_MARK = "\ufeff";

export interface CsvOptions {
  /** Put an apostrophe before what a spreadsheet would take for a formula; on by default. */
  guard?: boolean;
  /** Begin with the mark that tells a spreadsheet that the text is UTF-8; on by default. */
  mark?: boolean;
}

type Cell = string | number | null | undefined;

/** Return rows as CSV with CR LF behind each, as RFC 4180 says. */
export function formatCsv(rows: Iterable<readonly Cell[]>, options: CsvOptions = {}): string {
  const { guard = true, mark = true } = options;
  const lines: string[] = [];
  for (const row of rows) lines.push(row.map((cell) => quoteCell(textOf(cell, guard))).join(","));
  return `${mark ? BYTE_ORDER_MARK : ""}${lines.map((line) => `${line}\r\n`).join("")}`;
}

/** Return rows as tabs and lines, which spreadsheets paste into cells; the last line has no end. */
export function formatTsv(rows: Iterable<readonly Cell[]>): string {
  const lines: string[] = [];
  for (const row of rows) lines.push(row.map((cell) => quoteForTabs(textOf(cell, true))).join("\t"));
  return lines.join("\r\n");
}

/** Return rows as the HTML of a table, the first as its head, for the clipboard only: no page ever shows it. */
export function formatClipboardTable(rows: Iterable<readonly Cell[]>): string {
  const lines: string[] = [];
  for (const row of rows) {
    const tag = lines.length ? "td" : "th";
    const cells = row.map((cell) => `<${tag}>${escapeMarkup(textOf(cell, true))}</${tag}>`);
    lines.push(`<tr>${cells.join("")}</tr>`);
  }
  return `<table>${lines.join("")}</table>`;
}

/** Return a text that no spreadsheet takes for a formula. */
export function guardFormula(text: string): string {
  return /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
}

function textOf(cell: Cell, guard: boolean): string {
  // A number is our own, and -5 is no formula.
  if (typeof cell === "number") return String(cell);
  return guard ? guardFormula(cell ?? "") : (cell ?? "");
}

function quoteCell(text: string): string {
  return /[,;"\r\n\t]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function quoteForTabs(text: string): string {
  return /[\t\r\n"]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function escapeMarkup(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/**
 * Return the cells of a table, line by line, up to `most` lines; a line without anything has one empty cell.
 *
 * Quotation marks are read as formatCsv writes them. What stands behind a closing one belongs to the cell, and one that
 * is never closed goes to the end, so that every text is a table.
 */
export function parseCells(text: string, delimiter: string, most = Infinity): string[][] {
  const rows: string[][] = [];
  const end = new RegExp(`[${delimiter === "\t" ? "\\t" : delimiter}\\r\\n]`, "g");
  let row: string[] = [];
  let at = 0;
  while (rows.length < most) {
    let cell = "";
    if (text[at] === '"') {
      let close = at;
      do {
        const next = text.indexOf('"', close + 1);
        cell += `${close > at ? '"' : ""}${text.slice(close + 1, next < 0 ? text.length : next)}`;
        close = next < 0 ? text.length : next + 1;
      } while (text[close] === '"');
      at = close;
    }
    end.lastIndex = at;
    const found = end.exec(text);
    const stop = found ? found.index : text.length;
    row.push(cell + text.slice(at, stop));
    at = stop + 1;
    if (found?.[0] === delimiter) continue;
    if (found?.[0] === "\r" && text[at] === "\n") at += 1;
    rows.push(row);
    row = [];
    if (!found) break;
  }
  return rows;
}

/** Return what parts the cells of a text: of comma, semicolon and tab the one that its first line has most of. */
export function guessDelimiter(text: string): string {
  const first = text.slice(0, text.search(/[\r\n]|$/));
  const count = (delimiter: string) => first.split(delimiter).length;
  return [",", ";", "\t"].reduce((best, one) => (count(one) > count(best) ? one : best));
}
