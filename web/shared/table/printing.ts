/** Puts all rows of a table on paper, not only those in view. */
import { formatNumber } from "../format";
import { tableText } from "../text/table";
import { visible } from "../visible";

/** More rows than this make a browser's print dialog wait for minutes. */
const MOST_ROWS = 20_000;

export interface Printed {
  label: string;
  titles: string[];
  count: number;
  /** The heading that a row is, or null. */
  group(row: number): string | null;
  texts(row: number): string[];
}

/** Add a plain table of all rows before the page is printed, and remove it after; returns how to stop that. */
export function printTable(element: HTMLElement, read: () => Printed): () => void {
  let made: HTMLElement | null = null;
  const before = () => {
    made?.remove();
    made = element.offsetParent || element.isConnected ? plainTable(read()) : null;
    if (made) element.after(made);
  };
  const after = () => {
    made?.remove();
    made = null;
  };
  addEventListener("beforeprint", before);
  addEventListener("afterprint", after);
  return () => {
    after();
    removeEventListener("beforeprint", before);
    removeEventListener("afterprint", after);
  };
}

function plainTable(printed: Printed): HTMLElement {
  const table = document.createElement("table");
  table.className = "table-printed";
  table.createCaption().textContent = printed.label;
  const head = table.createTHead().insertRow();
  for (const title of printed.titles) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = title;
    head.append(cell);
  }
  const body = table.createTBody();
  for (let row = 0; row < Math.min(printed.count, MOST_ROWS); row += 1) {
    const line = body.insertRow();
    const group = printed.group(row);
    if (group !== null) spread(line, group, printed.titles.length);
    else for (const text of printed.texts(row)) line.insertCell().textContent = visible(text);
  }
  if (printed.count > MOST_ROWS) {
    spread(body.insertRow(), tableText.more(formatNumber(printed.count - MOST_ROWS)), printed.titles.length);
  }
  return table;
}

function spread(line: HTMLTableRowElement, text: string, columns: number): void {
  const cell = line.insertCell();
  cell.colSpan = columns;
  cell.className = "is-group";
  cell.textContent = visible(text);
}
