/** The heads of the sheet's columns: a click sorts, the edge of a head is dragged to another width. */
import { COLUMNS, type Column } from "../model/columns";
import { columnNames, text } from "../text";

export interface HeadHost {
  sort(column: Column, add: boolean): void;
  sorting(column: Column): "ascending" | "descending" | "none";
  /** What {@link keepWidths} was given before; null if nothing. */
  widths(): string | null;
  keepWidths(widths: string): void;
}

const LEAST_WIDTH = 40;

export class SheetHead {
  readonly element = make("div", "sheet-head-group");
  /** One for each column, in their order. */
  readonly cells: readonly HTMLElement[];

  constructor(
    private readonly grid: HTMLElement,
    private readonly host: HeadHost,
    private readonly changed: (what: "sort" | "widths") => void,
  ) {
    const row = make("div", "sheet-row sheet-head");
    this.element.setAttribute("role", "rowgroup");
    row.setAttribute("role", "row");
    row.setAttribute("aria-rowindex", "1");
    this.cells = COLUMNS.map((name, n) => this.#makeCell(name, n));
    row.append(...this.cells);
    this.element.append(row);
    const kept = (host.widths() ?? "").split(",").map(Number);
    if (kept.length === COLUMNS.length && kept.every((width) => width >= LEAST_WIDTH)) this.#setWidths(kept);
  }

  /** Whether the first column stays in sight when the sheet is scrolled to the side. */
  get keepsFirst(): boolean {
    return getComputedStyle(this.cells[0]!).position === "sticky";
  }

  showSorting(): void {
    this.cells.forEach((cell, n) => cell.setAttribute("aria-sort", this.host.sorting(COLUMNS[n]!)));
  }

  #makeCell(name: Column, column: number): HTMLElement {
    const cell = make("div", `sheet-cell sheet-${name}`);
    cell.setAttribute("role", "columnheader");
    cell.setAttribute("aria-colindex", String(column + 1));
    cell.textContent = columnNames[name];
    cell.title = `${text.sort(columnNames[name])}. ${text.sortMore}`;
    cell.addEventListener("click", (event) => {
      // What is being typed is kept first.
      this.changed("sort");
      this.host.sort(name, event.shiftKey);
    });
    const edge = make("div", "sheet-width");
    edge.addEventListener("click", (event) => event.stopPropagation());
    edge.addEventListener("mousedown", (event) => this.#startWidth(event, column));
    cell.append(edge);
    return cell;
  }

  #setWidths(widths: readonly number[]): void {
    this.grid.style.setProperty("--columns", widths.map((width) => `${width}px`).join(" "));
    this.grid.style.minWidth = `${widths.reduce((sum, width) => sum + width, 0)}px`;
  }

  /** Drag the edge of a column's head: all columns then keep the widths that they have. */
  #startWidth(event: MouseEvent, column: number): void {
    event.preventDefault();
    event.stopPropagation();
    const widths = this.cells.map((cell) => cell.offsetWidth);
    const first = widths[column]! - event.clientX;
    const stop = new AbortController();
    const onMove = ({ clientX }: MouseEvent) => {
      widths[column] = Math.max(LEAST_WIDTH, first + clientX);
      this.#setWidths(widths);
    };
    const onUp = () => {
      stop.abort();
      this.host.keepWidths(widths.join(","));
      this.changed("widths");
    };
    addEventListener("mousemove", onMove, { signal: stop.signal });
    addEventListener("mouseup", onUp, { signal: stop.signal });
  }
}

/** Return an element with classes. */
export function make(name: string, classes: string): HTMLElement {
  const element = document.createElement(name);
  element.className = classes;
  return element;
}
