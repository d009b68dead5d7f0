/** The rows of the sheet that are in sight. */
import { COLUMNS, type Column, isEditable } from "../model/columns";
import type { Range } from "../model/edits";
import { make } from "./sheetHead";

export const ROW_HEIGHT = 28;
const MORE_ROWS = 16;

export interface Place {
  row: number;
  column: number;
}

export interface Cell {
  /** As it is edited and copied. */
  text: string;
  /** As it is shown: what cannot be seen is made visible. */
  shown: string;
  kind: "read" | "typed" | "plain" | "new" | "bad" | "warn" | "good" | "open";
}

export interface RowHost {
  rowCount(): number;
  cell(at: number, column: Column): Cell;
}

export class SheetRows {
  readonly element = make("div", "sheet-body");
  readonly #rows = new Map<number, HTMLElement>();

  constructor(private readonly host: RowHost) {
    this.element.setAttribute("role", "rowgroup");
  }

  /** Forget what is drawn: texts, kinds and the number of rows are others. */
  forget(): void {
    this.element.style.height = `${this.host.rowCount() * ROW_HEIGHT}px`;
    for (const row of this.#rows.values()) row.remove();
    this.#rows.clear();
  }

  /** Draw the rows from a height on, in pixels, and no others. */
  draw(top: number, height: number): void {
    const first = Math.max(0, Math.floor(top / ROW_HEIGHT) - MORE_ROWS);
    const last = Math.min(this.host.rowCount(), Math.ceil((top + height) / ROW_HEIGHT) + MORE_ROWS);
    for (const [number, row] of this.#rows) {
      if (number >= first && number < last) continue;
      row.remove();
      this.#rows.delete(number);
    }
    // From below, so that each row finds the one that it stands before, for those who hear them in order.
    for (let number = last - 1; number >= first; number -= 1) {
      if (this.#rows.has(number)) continue;
      const row = this.#makeRow(number);
      this.#rows.set(number, row);
      this.element.insertBefore(row, this.#rows.get(number + 1) ?? null);
    }
  }

  /** Show which cells are selected, and which one is worked on. */
  paint(at: Place, { top, bottom, left, right }: Range): void {
    for (const [number, row] of this.#rows) {
      const isIn = number >= top && number <= bottom;
      row.classList.toggle("is-current", number === at.row);
      [...row.children].forEach((cell, n) => {
        cell.setAttribute("aria-selected", String(isIn && n >= left && n <= right));
        cell.classList.toggle("is-at", number === at.row && n === at.column);
      });
    }
  }

  cellAt({ row, column }: Place): HTMLElement | null {
    return (this.#rows.get(row)?.children[column] as HTMLElement | undefined) ?? null;
  }

  placeOf(event: MouseEvent): Place | null {
    const cell = event.target instanceof Element ? event.target.closest<HTMLElement>(".sheet-cell") : null;
    const row = cell?.parentElement;
    const number = Number(row?.getAttribute("aria-rowindex")) - 2;
    if (!cell || !row || this.#rows.get(number) !== row) return null;
    return { row: number, column: [...row.children].indexOf(cell) };
  }

  #makeRow(number: number): HTMLElement {
    const row = make("div", number % 2 ? "sheet-row is-odd" : "sheet-row");
    row.setAttribute("role", "row");
    row.setAttribute("aria-rowindex", String(number + 2));
    row.style.transform = `translateY(${number * ROW_HEIGHT}px)`;
    COLUMNS.forEach((name, n) => {
      const { shown, kind } = this.host.cell(number, name);
      const cell = make("div", `sheet-cell sheet-${name} is-${kind}`);
      cell.setAttribute("role", "gridcell");
      cell.setAttribute("aria-colindex", String(n + 1));
      if (!isEditable(name)) cell.setAttribute("aria-readonly", "true");
      cell.id = `cell-${number}-${n}`;
      cell.textContent = shown;
      if (shown) cell.title = shown;
      row.append(cell);
    });
    return row;
  }
}
