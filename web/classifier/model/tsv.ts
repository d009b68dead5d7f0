/** Ranges of cells as spreadsheets put them on the clipboard: tabs between cells, quotes around what holds one. */

/**
 * Parse the text of a copied range into rows of cells.
 *
 * A cell that begins with a quote and has another one before the next tab, line end or end of the text is quoted: it
 * may hold tabs and line breaks, and a doubled quote is one. Any other quote is part of its cell, so `12" pipe` stays
 * whole. The line end that spreadsheets put behind the last row is no row of its own.
 */
export function parseTsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let at = 0;
  while (at <= text.length) {
    const quoted = text[at] === '"' ? readQuoted(text, at) : null;
    let cell: string;
    if (quoted) {
      [cell, at] = quoted;
    } else {
      const start = at;
      while (at < text.length && !isEnd(text[at])) at += 1;
      cell = text.slice(start, at);
    }
    row.push(cell);
    if (text[at] === "\t") {
      at += 1;
      continue;
    }
    rows.push(row);
    row = [];
    at += text[at] === "\r" && text[at + 1] === "\n" ? 2 : 1;
    if (at === text.length) break;
  }
  return rows;
}

function isEnd(character: string | undefined): boolean {
  return character === undefined || character === "\t" || character === "\n" || character === "\r";
}

/** Return the cell that begins with the quote at `start`, and where it ends; null if it is not a quoted one. */
function readQuoted(text: string, start: number): [cell: string, end: number] | null {
  let at = start + 1;
  while (true) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return null;
    if (text[quote + 1] === '"') {
      at = quote + 2;
    } else if (isEnd(text[quote + 1])) {
      return [text.slice(start + 1, quote).replaceAll('""', '"'), quote + 1];
    } else {
      return null;
    }
  }
}

/** Return rows of cells as the text that spreadsheets and {@link parseTsv} read back to the same cells. */
export function formatTsv(rows: readonly (readonly string[])[]): string {
  return rows.map((row) => row.map(formatCell).join("\t") + "\r\n").join("");
}

function formatCell(cell: string): string {
  return cell.startsWith('"') || /[\t\n\r]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

/**
 * Return rows of cells as an HTML table for spreadsheets, which they prefer to the text.
 *
 * The number format says that each cell is text: leading zeros stay, and a name such as `=1+1.pdf` is no formula.
 */
export function formatHtmlTable(rows: readonly (readonly string[])[]): string {
  const cells = (row: readonly string[]) => row.map((cell) => `<td style="mso-number-format:'\\@'">${escape(cell)}</td>`);
  return `<table>${rows.map((row) => `<tr>${cells(row).join("")}</tr>`).join("")}</table>`;
}

const ESCAPES = new Map([
  ["&", "&amp;"],
  ["<", "&lt;"],
  [">", "&gt;"],
  ['"', "&quot;"],
]);

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ESCAPES.get(character) ?? "");
}

/** Returns how many cells the longest row has. */
export function widthOf(rows: readonly (readonly string[])[]): number {
  return rows.reduce((most, row) => Math.max(most, row.length), 0);
}
