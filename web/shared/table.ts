/**
 * A table of any number of rows, of which only those in view are in the page; everything works by keyboard.
 *
 * The rows stand in a stage that stays in view while the table is scrolled, so that nothing is ever blank: the browser
 * scrolls by itself, and what it shows until the next rows are drawn are the rows from before.
 */
import "./table.css";
import { formatClipboardTable, formatTsv } from "./csv";
import { Focus } from "./table/focus";
import { printTable } from "./table/printing";
import { Widths } from "./table/widths";
import { formatNumber } from "./format";
import { tableText } from "./text/table";
import { visible } from "./visible";

export interface Column {
  readonly id: string;
  readonly label: string;
  /** In rem, until the person drags it. */
  readonly width: number;
  readonly align?: "end" | undefined;
  readonly sortable?: boolean | undefined;
  /** Takes the room that is left; the last one does where none says so. */
  readonly grow?: boolean | undefined;
}

/** The selected rows, which belong to whoever made the table: they outlast a filter. */
export interface TableSelection {
  has(row: number): boolean;
  /** Select or clear the rows from `from` to `to`, both included. */
  setRange(from: number, to: number, on: boolean): void;
  /** How many of all rows are selected. */
  count(): number;
}

/** A row that is the head of a group. */
export interface GroupHead {
  readonly label: string;
  readonly count: number;
  readonly isOpen: boolean;
}

export interface TableOptions {
  /** Names the table to those who do not see it. */
  readonly label: string;
  readonly columns: readonly Column[];
  /**
   * What stands in a cell: a text, shown with its invisible characters made visible, or an element of the caller. `held`
   * is the element that the cell has now, to be filled and returned again: to make another one takes longer.
   */
  cell(row: number, column: Column, held?: Element | null): string | Node;
  /** What is copied of a cell; the text that it shows where this is absent. */
  copyText?(row: number, column: Column): string;
  group?(row: number): GroupHead | null;
  /** Open or close a group. */
  onToggle?(row: number): void;
  onOpen?(row: number): void;
  /** Called when the person moves to another row. */
  onFocus?(row: number): void;
  onSort?(column: string): void;
  onWidths?(widths: Readonly<Record<string, number>>): void;
  readonly selection?: TableSelection;
  /** Classes of a row, such as "is-draft". */
  rowClass?(row: number): string;
  /** In rem. */
  readonly rowHeight?: number;
}

export interface Table {
  readonly element: HTMLElement;
  readonly rowCount: number;
  readonly focusedRow: number;
  /** Say how many rows there are now; all are drawn anew, and the row that has the focus is `focusedRow`. */
  setRows(count: number, options?: { focusedRow?: number; keepPosition?: boolean }): void;
  setColumns(columns: readonly Column[]): void;
  setWidths(widths: Readonly<Record<string, number>>): void;
  setSort(column: string, descending: boolean): void;
  /** Draw the rows in view again. */
  refresh(): void;
  /** Move to a row, and give it the keyboard unless `quietly`. */
  focusRow(row: number, options?: { quietly?: boolean }): void;
  focus(): void;
  destroy(): void;
}

/** Higher than this, some browsers place what is inside wrongly. */
const HIGHEST = 8_000_000;
const CHECK = "_selected";

export function createTable(options: TableOptions): Table {
  return new WindowedTable(options);
}

class WindowedTable implements Table {
  readonly element = make("div", "table", "grid");
  #options: TableOptions;
  #columns: readonly Column[] = [];
  #widths: Widths;
  #sizer = make("div", "table-sizer", "presentation");
  #stage = make("div", "table-stage", "presentation");
  #head = make("div", "table-head", "row");
  #body = make("div", "table-body", "rowgroup");
  #rows: HTMLElement[] = [];
  #count = 0;
  #rowHeight: number;
  #headHeight: number;
  #viewHeight = 0;
  /** How far the rows are scrolled, exactly; the scroll bar knows it only roughly where rows are many. */
  #offset = 0;
  #setTop = -1;
  #first = 0;
  #isStale = true;
  #sort = { column: "", descending: false };
  #focus: Focus;
  #anchor = 0;
  #observer: ResizeObserver;
  #stopPrinting: () => void;

  constructor(options: TableOptions) {
    this.#options = options;
    const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
    this.#rowHeight = Math.round((options.rowHeight ?? 1.75) * rem);
    this.#headHeight = Math.round(2 * rem);
    this.#widths = new Widths(rem, this.element, (widths) => options.onWidths?.(widths));
    this.#focus = new Focus(this.element);
    this.#focus.column = options.selection ? 1 : 0;
    const element = this.element;
    element.setAttribute("aria-label", options.label);
    if (options.selection) element.setAttribute("aria-multiselectable", "true");
    element.style.setProperty("--row-height", `${this.#rowHeight}px`);
    element.style.setProperty("--head-height", `${this.#headHeight}px`);
    const headGroup = make("div", "table-head-group", "rowgroup");
    this.#head.setAttribute("aria-rowindex", "1");
    headGroup.append(this.#head);
    this.#stage.append(headGroup, this.#body);
    this.#sizer.append(this.#stage);
    element.append(this.#sizer);
    this.setColumns(options.columns);
    element.addEventListener("scroll", () => this.#draw(), { passive: true });
    element.addEventListener("keydown", (event) => this.#onKey(event));
    element.addEventListener("pointerdown", (event) => this.#onPointerDown(event));
    element.addEventListener("click", (event) => this.#onClick(event));
    element.addEventListener("dblclick", (event) => this.#onDoubleClick(event));
    element.addEventListener("copy", (event) => this.#onCopy(event));
    element.addEventListener("mouseover", (event) => showWholeText(event));
    this.#observer = new ResizeObserver(() => this.#measure());
    this.#observer.observe(element);
    this.#stopPrinting = printTable(element, () => this.#printed());
  }

  get rowCount(): number {
    return this.#count;
  }

  get focusedRow(): number {
    return Math.max(0, this.#focus.row);
  }

  setRows(count: number, { focusedRow = 0, keepPosition = false } = {}): void {
    const depth = this.#focus.row * this.#rowHeight - this.#offset;
    // Asked before anything is changed: afterwards the browser would have to lay out everything to know.
    const top = this.#setTop < 0 ? 0 : this.element.scrollTop;
    this.#count = count;
    this.element.setAttribute("aria-rowcount", String(count + 1));
    this.#focus.row = this.#focus.isInHead ? -1 : Math.max(0, Math.min(focusedRow, count - 1));
    this.#anchor = Math.max(0, this.#focus.row);
    const total = count * this.#rowHeight;
    this.#sizer.style.height = `${Math.min(total, HIGHEST) + this.#headHeight}px`;
    this.#isStale = true;
    // The row that had the focus stays where it was on the screen.
    if (keepPosition) this.#scrollTo(this.#focus.row * this.#rowHeight - depth, top);
    else this.#scrollTo(focusedRow * this.#rowHeight - this.#roomForRows() / 2, top);
    this.#drawRows();
  }

  setColumns(columns: readonly Column[]): void {
    const check: Column = { id: CHECK, label: tableText.selected, width: 2 };
    this.#columns = this.#options.selection ? [check, ...columns] : columns;
    this.#focus.columns = this.#columns.length;
    this.element.setAttribute("aria-colcount", String(this.#columns.length));
    this.#widths.setColumns(this.#columns);
    this.#drawHead();
    this.#body.replaceChildren();
    this.#rows = [];
    this.refresh();
  }

  setWidths(widths: Readonly<Record<string, number>>): void {
    this.#widths.set(widths);
  }

  setSort(column: string, descending: boolean): void {
    this.#sort = { column, descending };
    this.#markSort();
  }

  refresh(): void {
    this.#isStale = true;
    this.#markSelection();
    // Without asking how far the browser has scrolled, which would have it lay out the page first: it says so by itself.
    this.#drawRows();
  }

  focusRow(row: number, { quietly = false } = {}): void {
    this.#focus.row = Math.max(0, Math.min(row, this.#count - 1));
    this.#anchor = this.#focus.row;
    this.#reveal();
    this.refresh();
    if (!quietly) this.#focus.take();
  }

  focus(): void {
    this.#reveal();
    this.refresh();
    this.#focus.take();
  }

  destroy(): void {
    this.#observer.disconnect();
    this.#stopPrinting();
    this.element.remove();
  }

  #measure(): void {
    const height = this.element.clientHeight;
    if (height === this.#viewHeight) return;
    this.#viewHeight = height;
    this.#stage.style.height = `${height}px`;
    this.#isStale = true;
    this.#draw();
  }

  #roomForRows(): number {
    return Math.max(0, this.#viewHeight - this.#headHeight);
  }

  /** `now` is how far the browser has scrolled, where that is known. */
  #scrollTo(offset: number, now?: number): void {
    const total = this.#count * this.#rowHeight;
    const most = Math.max(0, total - this.#roomForRows());
    this.#offset = Math.max(0, Math.min(offset, most));
    const top = total <= HIGHEST || !most ? this.#offset : (this.#offset / most) * (HIGHEST - this.#roomForRows());
    if (top === now) {
      this.#setTop = now;
      return;
    }
    this.element.scrollTop = top;
    this.#setTop = this.element.scrollTop;
  }

  /** Take over how far the person has scrolled, unless it was the table that scrolled. */
  #readOffset(): void {
    const top = this.element.scrollTop;
    if (top === this.#setTop) return;
    this.#setTop = top;
    const total = this.#count * this.#rowHeight;
    const most = Math.max(0, total - this.#roomForRows());
    this.#offset = total <= HIGHEST ? Math.min(top, most) : (top / (HIGHEST - this.#roomForRows())) * most;
  }

  #draw(): void {
    this.#readOffset();
    this.#drawRows();
  }

  #drawRows(): void {
    const height = this.#rowHeight;
    const first = Math.floor(this.#offset / height);
    this.#body.style.transform = `translateY(${first * height - this.#offset}px)`;
    const shown = Math.max(0, Math.min(this.#count - first, Math.ceil(this.#roomForRows() / height) + 1));
    const isSameSize = shown === this.#rows.length;
    if (!this.#isStale && first === this.#first && isSameSize) return;
    const by = first - this.#first;
    this.#first = first;
    // Rows that are moved have to be laid out as if they were new; to fill rows where they are takes half of that.
    if (!this.#isStale && isSameSize && Math.abs(by) * 2 < shown) {
      this.#moveRows(by);
    } else {
      this.#isStale = false;
      while (this.#rows.length < shown) this.#addRow();
      while (this.#rows.length > shown) this.#rows.pop()!.remove();
      for (const [at, element] of this.#rows.entries()) this.#drawRow(element, first + at);
    }
    this.#focus.place(this.#head, this.#rows, first);
  }

  /** Take the rows that have gone out of view at one end to the other end: only these are drawn. */
  #moveRows(by: number): void {
    const rows = this.#rows;
    for (let step = 0; step < Math.abs(by); step += 1) {
      const row = by > 0 ? rows.shift()! : rows.pop()!;
      // What is moved would lose the keyboard.
      if (row.contains(document.activeElement)) this.element.focus({ preventScroll: true });
      if (by > 0) {
        this.#body.append(row);
        rows.push(row);
      } else {
        this.#body.prepend(row);
        rows.unshift(row);
      }
    }
    const from = by > 0 ? rows.length - by : 0;
    for (let at = from; at < from + Math.abs(by); at += 1) this.#drawRow(rows[at]!, this.#first + at);
  }

  #addRow(): void {
    const row = make("div", "table-row", "row");
    for (const column of this.#columns) {
      const cell = make("div", column.align === "end" ? "table-cell is-end" : "table-cell", "gridcell");
      cell.tabIndex = -1;
      row.append(cell);
    }
    this.#rows.push(row);
    this.#body.append(row);
  }

  #drawRow(element: HTMLElement, row: number): void {
    const { selection, rowClass, group } = this.#options;
    const head = group?.(row) ?? null;
    const isSelected = !head && (selection?.has(row) ?? false);
    const more = head ? "is-group" : (rowClass?.(row) ?? "");
    element.className = `table-row${row % 2 ? " is-odd" : ""}${isSelected ? " is-selected" : ""}${more && ` ${more}`}`;
    element.setAttribute("aria-rowindex", String(row + 2));
    element.dataset["row"] = String(row);
    if (selection) element.setAttribute("aria-selected", String(isSelected));
    const cells = element.children;
    for (const [at, column] of this.#columns.entries()) {
      const cell = cells[at] as HTMLElement;
      cell.hidden = head !== null && at > 0;
      if (cell.hasAttribute("aria-colspan")) {
        cell.removeAttribute("aria-colspan");
        cell.removeAttribute("aria-expanded");
      }
      if (head) {
        if (at) continue;
        cell.setAttribute("aria-colspan", String(this.#columns.length));
        cell.setAttribute("aria-expanded", String(head.isOpen));
        setText(cell, tableText.group(visible(head.label), formatNumber(head.count)));
      } else if (column.id === CHECK) {
        setText(cell, isSelected ? "☑" : "☐");
      } else {
        const held = cell.firstElementChild;
        const content = this.#options.cell(row, column, held);
        if (typeof content === "string") setText(cell, visible(content));
        else if (content !== held) cell.replaceChildren(content);
      }
    }
  }

  #drawHead(): void {
    const cells = this.#columns.map((column) => {
      const cell = make("div", column.align === "end" ? "table-title is-end" : "table-title", "columnheader");
      cell.tabIndex = -1;
      cell.dataset["column"] = column.id;
      if (column.id === CHECK) {
        cell.setAttribute("aria-label", tableText.selectAll);
        return cell;
      }
      const label = make("span", "table-label");
      label.textContent = column.label;
      cell.append(label);
      if (column.sortable) cell.classList.add("is-sortable");
      cell.append(this.#widths.handle(column));
      return cell;
    });
    this.#head.replaceChildren(...cells);
    this.#markSelection();
    this.#markSort();
    this.#focus.place(this.#head, this.#rows, this.#first);
  }

  #markSort(): void {
    for (const [at, column] of this.#columns.entries()) {
      if (!column.sortable) continue;
      const isSorted = column.id === this.#sort.column;
      this.#head.children[at]!.setAttribute("aria-sort", !isSorted ? "none" : this.#sort.descending ? "descending" : "ascending");
    }
  }

  /** Bring the row that has the focus into view. */
  #reveal(): void {
    if (this.#focus.row < 0) return;
    const top = this.#focus.row * this.#rowHeight;
    const room = this.#roomForRows();
    if (top < this.#offset) this.#scrollTo(top);
    else if (top + this.#rowHeight > this.#offset + room) this.#scrollTo(top + this.#rowHeight - room);
  }

  #onKey(event: KeyboardEvent): void {
    const isCommand = event.ctrlKey || event.metaKey;
    if (event.altKey) {
      if (event.shiftKey && this.#focus.isInHead && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
        this.#widths.change(this.#columns[this.#focus.column]!, event.key === "ArrowRight" ? 1 : -1);
        event.preventDefault();
      }
      return;
    }
    if (isCommand && event.key.toLowerCase() === "a" && !event.shiftKey) {
      this.#select(0, this.#count - 1, true);
    } else if (event.key === " " && !isCommand) {
      if (this.#focus.isInHead) this.#activateHead(this.#focus.column);
      else this.#onSpace(event.shiftKey);
    } else if (event.key === "Enter" && !isCommand) {
      if (this.#focus.isInHead) this.#activateHead(this.#focus.column);
      else this.#open(this.#focus.row);
    } else if (!this.#move(event, isCommand)) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  #move(event: KeyboardEvent, isCommand: boolean): boolean {
    const page = Math.max(1, Math.floor(this.#roomForRows() / this.#rowHeight) - 1);
    const row = this.#focus.row;
    const last = this.#count - 1;
    const steps: Record<string, number> = {
      ArrowDown: isCommand ? last : row + 1,
      ArrowUp: isCommand ? 0 : row - 1,
      PageDown: row + page,
      PageUp: Math.max(0, row - page),
      Home: 0,
      End: last,
    };
    if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
      if (isCommand) return false;
      const head = row >= 0 ? (this.#options.group?.(row) ?? null) : null;
      if (head && head.isOpen !== (event.key === "ArrowRight")) this.#options.onToggle?.(row);
      else this.#focus.moveColumn(event.key === "ArrowRight" ? 1 : -1);
    } else {
      const to = steps[event.key];
      if (to === undefined) return false;
      this.#moveTo(Math.max(event.key === "ArrowUp" ? -1 : 0, Math.min(to, last)), event.shiftKey);
    }
    this.refresh();
    this.#focus.take();
    return true;
  }

  #moveTo(row: number, extends_: boolean): void {
    const before = this.#focus.row;
    this.#focus.row = row;
    if (extends_ && row >= 0 && this.#options.selection) {
      this.#select(Math.min(this.#anchor, before), Math.max(this.#anchor, before), false, true);
      this.#select(Math.min(this.#anchor, row), Math.max(this.#anchor, row), true);
    } else if (!extends_) {
      this.#anchor = Math.max(0, row);
    }
    this.#reveal();
    if (row >= 0 && row !== before) this.#options.onFocus?.(row);
  }

  #onSpace(extends_: boolean): void {
    const row = this.#focus.row;
    if (this.#options.group?.(row)) this.#options.onToggle?.(row);
    else if (extends_) this.#select(Math.min(this.#anchor, row), Math.max(this.#anchor, row), true);
    else {
      this.#anchor = row;
      this.#select(row, row, !(this.#options.selection?.has(row) ?? false));
    }
  }

  #select(from: number, to: number, on: boolean, quietly = false): void {
    const { selection } = this.#options;
    if (!selection || to < from) return;
    selection.setRange(from, to, on);
    if (!quietly) this.refresh();
  }

  /** Show in the head whether anything is selected. */
  #markSelection(): void {
    const { selection } = this.#options;
    if (selection) setText(this.#head.firstElementChild as HTMLElement, selection.count() ? "☑" : "☐");
  }

  /** Whether a row that is shown is selected: what a filter hides does not count. */
  #hasSelected(): boolean {
    const { selection } = this.#options;
    if (!selection?.count()) return false;
    for (let row = 0; row < this.#count; row += 1) if (selection.has(row)) return true;
    return false;
  }

  #open(row: number): void {
    if (row < 0 || row >= this.#count) return;
    if (this.#options.group?.(row)) this.#options.onToggle?.(row);
    else this.#options.onOpen?.(row);
  }

  #activateHead(at: number): void {
    const column = this.#columns[at];
    if (column?.id === CHECK) {
      this.#select(0, this.#count - 1, !this.#hasSelected());
    } else if (column?.sortable) this.#options.onSort?.(column.id);
  }

  #cellOf(event: Event): { row: number; column: number } | null {
    const cell = (event.target as Element).closest?.(".table-cell, .table-title");
    const row = cell?.parentElement;
    if (!cell || !row || !this.element.contains(cell)) return null;
    const column = [...row.children].indexOf(cell);
    return { row: row === this.#head ? -1 : Number(row.dataset["row"]), column };
  }

  #onPointerDown(event: PointerEvent): void {
    // Shift with a click selects rows, and no text.
    if (event.shiftKey) event.preventDefault();
    if (event.button !== 0 || (event.target as Element).closest(".table-handle, button, a, [data-press]")) return;
    const at = this.#cellOf(event);
    if (!at) return;
    this.#focus.column = at.column;
    const isCheck = this.#columns[at.column]?.id === CHECK;
    if (at.row >= 0) {
      const isCommand = event.ctrlKey || event.metaKey;
      if ((isCommand || isCheck) && !event.shiftKey && !this.#options.group?.(at.row)) {
        this.#anchor = at.row;
        this.#focus.row = at.row;
        this.#select(at.row, at.row, !(this.#options.selection?.has(at.row) ?? false));
        this.#options.onFocus?.(at.row);
      } else this.#moveTo(at.row, event.shiftKey);
    } else this.#focus.row = -1;
    this.refresh();
    this.#focus.take();
  }

  #onClick(event: MouseEvent): void {
    if ((event.target as Element).closest(".table-handle, button, a, [data-press]")) return;
    const at = this.#cellOf(event);
    if (at?.row === -1) this.#activateHead(at.column);
    else if (at && this.#options.group?.(at.row)) this.#options.onToggle?.(at.row);
  }

  #onDoubleClick(event: MouseEvent): void {
    if ((event.target as Element).closest(".table-handle, button, a, [data-press]")) return;
    const at = this.#cellOf(event);
    if (at && at.row >= 0 && this.#columns[at.column]?.id !== CHECK && !this.#options.group?.(at.row)) this.#open(at.row);
  }

  #onCopy(event: ClipboardEvent): void {
    // Text that the person has marked is what she wants.
    if (!event.clipboardData || getSelection()?.isCollapsed === false) return;
    const rows = [this.#columns.filter(isData).map((column) => column.label), ...this.#copied()];
    event.clipboardData.setData("text/plain", formatTsv(rows));
    event.clipboardData.setData("text/html", formatClipboardTable(rows));
    event.preventDefault();
  }

  /** The cells of the selected rows that are shown, or of the row with the focus where none is. */
  *#copied(): Generator<string[]> {
    const { selection } = this.#options;
    let isAny = false;
    for (let row = 0; row < this.#count; row += 1) {
      if (!selection?.has(row) || this.#options.group?.(row)) continue;
      isAny = true;
      yield this.#texts(row);
    }
    const row = this.focusedRow;
    if (!isAny && row < this.#count && !this.#options.group?.(row)) yield this.#texts(row);
  }

  #texts(row: number): string[] {
    return this.#columns.filter(isData).map((column) => {
      if (this.#options.copyText) return this.#options.copyText(row, column);
      const content = this.#options.cell(row, column);
      return typeof content === "string" ? content : (content.textContent ?? "");
    });
  }

  #printed() {
    return {
      label: this.#options.label,
      titles: this.#columns.filter(isData).map((column) => column.label),
      count: this.#count,
      group: (row: number) => this.#options.group?.(row)?.label ?? null,
      texts: (row: number) => this.#texts(row),
    };
  }
}

function isData(column: Column): boolean {
  return column.id !== CHECK;
}

function make(tag: string, className: string, role?: string): HTMLElement {
  const element = document.createElement(tag);
  element.className = className;
  if (role) element.setAttribute("role", role);
  return element;
}

/** Set the text of a cell, where it is another than before: most cells of a scrolled table change, many do not. */
function setText(cell: HTMLElement, text: string): void {
  const node = cell.firstChild;
  if (node?.nodeType === Node.TEXT_NODE && node === cell.lastChild) {
    if ((node as Text).data !== text) (node as Text).data = text;
  } else cell.textContent = text;
}

/** Show the whole text of a cell that has no room for it, when the mouse rests on it. */
function showWholeText(event: MouseEvent): void {
  const cell = (event.target as Element).closest?.<HTMLElement>(".table-cell");
  if (!cell) return;
  const isCut = cell.scrollWidth > cell.clientWidth;
  if (isCut) cell.title = cell.textContent ?? "";
  else if (cell.title) cell.removeAttribute("title");
}
