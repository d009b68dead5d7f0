/** The widths of a table's columns: as they were given, and as the person has dragged them. */
import { tableText } from "../text/table";
import type { Column } from "../table";

const NARROWEST = 32;
const STEP = 16;

export class Widths {
  #rem: number;
  #table: HTMLElement;
  #onChange: (widths: Readonly<Record<string, number>>) => void;
  #columns: readonly Column[] = [];
  /** In pixels, of those that were dragged. */
  #dragged = new Map<string, number>();

  constructor(rem: number, table: HTMLElement, onChange: (widths: Readonly<Record<string, number>>) => void) {
    this.#rem = rem;
    this.#table = table;
    this.#onChange = onChange;
  }

  setColumns(columns: readonly Column[]): void {
    this.#columns = columns;
    this.#apply();
  }

  set(widths: Readonly<Record<string, number>>): void {
    for (const [id, width] of Object.entries(widths)) {
      if (Number.isFinite(width)) this.#dragged.set(id, Math.max(NARROWEST, width));
    }
    this.#apply();
  }

  /** Make a column wider or narrower by steps. */
  change(column: Column, steps: number): void {
    this.set({ [column.id]: this.#of(column) + steps * STEP });
    this.#onChange(Object.fromEntries(this.#dragged));
  }

  /** Return what a column is dragged wider or narrower by. */
  handle(column: Column): HTMLElement {
    const handle = document.createElement("span");
    handle.className = "table-handle";
    handle.title = tableText.resize(column.label);
    handle.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      event.stopPropagation();
      const cell = handle.parentElement as HTMLElement;
      const start = { x: event.clientX, width: cell.offsetWidth };
      handle.setPointerCapture(event.pointerId);
      const move = (moved: PointerEvent) => this.set({ [column.id]: start.width + moved.clientX - start.x });
      handle.addEventListener("pointermove", move);
      handle.addEventListener(
        "lostpointercapture",
        () => {
          handle.removeEventListener("pointermove", move);
          this.#onChange(Object.fromEntries(this.#dragged));
        },
        { once: true },
      );
    });
    return handle;
  }

  #of(column: Column): number {
    return this.#dragged.get(column.id) ?? column.width * this.#rem;
  }

  #apply(): void {
    const growing = this.#columns.find((column) => column.grow) ?? this.#columns.at(-1);
    const tracks = this.#columns.map((column) => {
      const width = `${Math.round(this.#of(column))}px`;
      return column === growing ? `minmax(${width}, 1fr)` : width;
    });
    this.#table.style.setProperty("--columns", tracks.join(" "));
    const total = this.#columns.reduce((sum, column) => sum + Math.round(this.#of(column)), 0);
    this.#table.style.setProperty("--table-width", `${total}px`);
  }
}
