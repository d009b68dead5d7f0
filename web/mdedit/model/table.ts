/** Tables of spreadsheets as Markdown. */
import { parseTsv, widthOf } from "../../classifier/model/tsv";

/**
 * Returns a copied range as a Markdown table; null where the text is no table.
 *
 * A range has at least two columns; without `isSure`, such as from HTML beside it, it also needs two rows of one width.
 */
export function tableFromRange(text: string, isSure: boolean): string | null {
  if (!text.includes("\t")) return null;
  const rows = parseTsv(text);
  const width = widthOf(rows);
  if (width < 2 || (!isSure && (rows.length < 2 || rows.some((row) => row.length !== width)))) return null;
  return formatTable(rows.map((row) => [...row, ...Array<string>(width - row.length).fill("")]));
}

/** Returns rows of cells as a table whose first row is its head; columns of numbers are set to the right. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map(formatCell));
  const [head = [], ...body] = cells;
  const widths = head.map((_, at) => Math.min(cells.reduce((most, row) => Math.max(most, (row[at] ?? "").length), 3), 60));
  const isNumbers = head.map((_, at) => body.length > 0 && body.every((row) => /^[-+]?[\d.,  ]*\d%?$/.test(row[at] ?? "")));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, at) => (isNumbers[at] ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!))).join(" | ")} |`;
  const rule = `| ${widths.map((width, at) => (isNumbers[at] ? `${"-".repeat(width - 1)}:` : "-".repeat(width))).join(" | ")} |`;
  return [line(head), rule, ...body.map(line)].join("\n") + "\n";
}

/** A bar would end the cell, a line break the table; a star or a backtick would be read as markup. */
function formatCell(text: string): string {
  return text.replace(/[\r\n\t ]+/g, " ").trim().replace(/\\(?=[|*`])|\\$/g, "\\\\").replace(/[|*`]/g, "\\$&");
}
