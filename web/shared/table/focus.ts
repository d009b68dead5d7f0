/** Which cell of a table has the keyboard: one cell can be reached by Tab, and arrows move on from it. */

export class Focus {
  /** -1 is the row of titles. */
  row = 0;
  columns = 0;
  #column = 0;
  #table: HTMLElement;
  #cell: HTMLElement | null = null;

  constructor(table: HTMLElement) {
    this.#table = table;
  }

  get isInHead(): boolean {
    return this.row < 0;
  }

  get column(): number {
    return Math.min(this.#column, this.columns - 1);
  }

  set column(column: number) {
    this.#column = column;
  }

  moveColumn(by: number): void {
    this.#column = Math.max(0, Math.min(this.column + by, this.columns - 1));
  }

  /** Make the cell that has the keyboard the one that Tab reaches, after the rows were drawn. */
  place(head: HTMLElement, rows: readonly HTMLElement[], first: number): void {
    const row = this.row < 0 ? head : rows[this.row - first];
    const cells = row?.children;
    let cell = (cells?.[this.column] as HTMLElement | undefined) ?? null;
    if (cell?.hidden) cell = cells![0] as HTMLElement;
    const had = document.activeElement;
    const isHere = had !== null && this.#table.contains(had) && (had === this.#table || had.matches(".table-cell, .table-title"));
    if (this.#cell && this.#cell !== cell) this.#cell.tabIndex = -1;
    this.#cell = cell;
    if (cell) cell.tabIndex = 0;
    // With no such cell in view, the table itself is what Tab reaches.
    this.#table.tabIndex = cell ? -1 : 0;
    if (isHere && had !== (cell ?? this.#table)) this.take();
  }

  take(): void {
    (this.#cell ?? this.#table).focus({ preventScroll: true });
    if (this.#cell) revealColumn(this.#table, this.#cell);
  }
}

/** Scroll a table sideways, so that a cell can be seen. */
function revealColumn(table: HTMLElement, cell: HTMLElement): void {
  const left = cell.offsetLeft;
  const right = left + cell.offsetWidth;
  if (left < table.scrollLeft) table.scrollLeft = left;
  else if (right > table.scrollLeft + table.clientWidth) table.scrollLeft = Math.min(left, right - table.clientWidth);
}
