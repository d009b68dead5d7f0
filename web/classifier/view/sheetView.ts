/**
 * The sheet on the screen: only the rows in sight are drawn, and one field that always has the focus is laid over the
 * cell that is worked on.
 *
 * The field holds the text of the cell, all of it selected, and is not seen until something is typed. So the first key
 * replaces the text, input methods for other scripts compose in it from their first key, and copy and paste are the
 * browser's own.
 */
import { COLUMNS, type Column, isEditable, isField } from "../model/columns";
import { type Range, rangeOf } from "../model/edits";
import { text } from "../text";
import { type HeadHost, SheetHead, make } from "./sheetHead";
import { type Command, commandOf, moveOf } from "./sheetKeys";
import { type Place, ROW_HEIGHT, type RowHost, SheetRows } from "./sheetRows";
import { Suggestions } from "./suggestions";

export interface SheetHost extends HeadHost, RowHost {
  commit(at: number, column: Column, value: string): void;
  suggest(column: Column, written: string): readonly { value: string; note: string }[];
  /** The cell that is worked on, or the range, has changed. */
  moved(at: Place, range: Range): void;
  copy(range: Range, data: DataTransfer): void;
  cut(range: Range, data: DataTransfer): void;
  paste(range: Range, written: string): void;
  clear(range: Range): void;
  fillDown(range: Range): void;
  fillRight(range: Range): void;
  series(range: Range, seeds: number): void;
  undo(): void;
  redo(): void;
}

const HEAD_HEIGHT = 32;
const FIRST_FIELD = 1;
const LAST_FIELD = COLUMNS.indexOf("newName");

export class SheetView {
  readonly element = make("div", "sheet");
  readonly #scroller = make("div", "sheet-scroll");
  readonly #grid = make("div", "sheet-grid");
  readonly #input = document.createElement("input");
  readonly #handle = make("div", "sheet-handle");
  readonly #head: SheetHead;
  readonly #rows: SheetRows;
  readonly #suggestions: Suggestions;
  readonly #observer: ResizeObserver;
  #at: Place = { row: 0, column: FIRST_FIELD };
  #anchor: Place = { row: 0, column: FIRST_FIELD };
  /** What is typed into, and whether arrows move in its text. */
  #editing: { at: Place; isInText: boolean } | null = null;
  #drag: "select" | "series" | null = null;
  #seriesEnd = 0;
  /** Where Tab began: Enter goes to the row below, in this column. */
  #tabFrom: number | null = null;
  /** What the field held before anything was typed: a name with a line break in it is not the same there. */
  #before = "";
  #frame = 0;

  constructor(private readonly host: SheetHost) {
    this.#grid.setAttribute("role", "grid");
    this.#grid.id = "sheet-grid";
    this.#grid.setAttribute("aria-label", text.sheet);
    this.#grid.setAttribute("aria-colcount", String(COLUMNS.length));
    this.#grid.setAttribute("aria-multiselectable", "true");
    this.#head = new SheetHead(this.#grid, host, (what) => this.#onHead(what));
    this.#rows = new SheetRows(host);
    this.#grid.append(this.#head.element, this.#rows.element);
    this.#handle.title = text.fillHandle;
    this.#setUpInput();
    this.#scroller.append(this.#grid, this.#input, this.#handle);
    this.#suggestions = new Suggestions(this.#input, this.#scroller, (value) => {
      this.#input.value = value;
      this.#finish(0, 0);
      this.#enter(1);
    });
    this.element.append(this.#scroller);
    this.#scroller.addEventListener("scroll", () => this.#drawSoon());
    this.#rows.element.addEventListener("mousedown", (event) => this.#onMouseDown(event));
    this.#rows.element.addEventListener("dblclick", (event) => {
      if (this.#rows.placeOf(event)) this.edit();
    });
    this.#handle.addEventListener("mousedown", (event) => {
      event.preventDefault();
      this.#startDrag("series");
    });
    this.#observer = new ResizeObserver(() => this.#drawSoon());
    this.#observer.observe(this.#scroller);
  }

  destroy(): void {
    this.#observer.disconnect();
    cancelAnimationFrame(this.#frame);
  }

  get at(): Place {
    return this.#at;
  }

  get range(): Range {
    return rangeOf(this.#anchor, this.#at);
  }

  get isEditing(): boolean {
    return this.#editing !== null;
  }

  focus(): void {
    this.#input.focus({ preventScroll: true });
  }

  /** Select a range; the cell at its top left is worked on. */
  select(range: Range): void {
    this.#finish(0, 0);
    this.#anchor = { row: range.bottom, column: range.right };
    this.#moveTo({ row: range.top, column: range.left }, true);
  }

  selectAll(): void {
    this.#finish(0, 0);
    this.#anchor = { row: Math.max(this.host.rowCount() - 1, 0), column: COLUMNS.length - 1 };
    this.#at = { row: 0, column: 0 };
    this.#refresh();
  }

  /** The rows are others now, or in another order: what is being typed is kept where it belongs before that. */
  finishEdit(): void {
    this.#finish(0, 0);
  }

  /** Draw everything again: texts, kinds and the number of rows. */
  redraw(): void {
    const last = Math.max(this.host.rowCount() - 1, 0);
    this.#at = { ...this.#at, row: Math.min(this.#at.row, last) };
    this.#anchor = { ...this.#anchor, row: Math.min(this.#anchor.row, last) };
    this.#grid.setAttribute("aria-rowcount", String(this.host.rowCount() + 1));
    this.#head.showSorting();
    this.#rows.forget();
    this.#draw();
    this.#layInput();
  }

  /** Write into the cell; all arrows then move in its text. */
  edit(): void {
    if (!this.#canEdit(this.#at)) return;
    this.#begin(true);
    this.#input.setSelectionRange(this.#input.value.length, this.#input.value.length);
  }

  showList(): void {
    if (!this.#canEdit(this.#at)) return;
    if (!this.#editing) this.#begin(false);
    this.#suggestions.show(this.host.suggest(COLUMNS[this.#at.column]!, ""), true);
  }

  // drawing

  #onHead(what: "sort" | "widths"): void {
    if (what === "sort") {
      this.#finish(0, 0);
      this.focus();
    } else {
      this.#draw();
      this.#layInput();
    }
  }

  #drawSoon(): void {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  #draw(): void {
    this.#rows.draw(this.#scroller.scrollTop - HEAD_HEIGHT, this.#scroller.clientHeight);
    this.#paintRange();
  }

  #paintRange(): void {
    const { bottom, left, right } = this.range;
    this.#rows.paint(this.#at, this.range);
    const corner = this.#boxOf({ row: this.#drag === "series" ? this.#seriesEnd : bottom, column: right });
    const canFill = !this.#editing && COLUMNS.slice(left, right + 1).some(isField) && this.host.rowCount() > 0;
    this.#handle.hidden = !canFill;
    if (corner) {
      this.#handle.style.transform = `translate(${corner.left + corner.width - 5}px, ${corner.top + corner.height - 5}px)`;
    }
    const cell = this.#rows.cellAt(this.#at);
    if (cell) this.#input.setAttribute("aria-activedescendant", cell.id);
    else this.#input.removeAttribute("aria-activedescendant");
  }

  /** Where a cell is in the content of the scroller; rows out of sight have the columns of the head. */
  #boxOf({ row, column }: Place): { left: number; top: number; width: number; height: number } | null {
    const head = this.#head.cells[column];
    if (!head) return null;
    const left = head.offsetLeft;
    return { left, top: HEAD_HEIGHT + row * ROW_HEIGHT, width: head.offsetWidth, height: ROW_HEIGHT };
  }

  #refresh(): void {
    this.#scrollIntoView();
    this.#draw();
    this.#layInput();
    this.host.moved(this.#at, this.range);
  }

  #scrollIntoView(): void {
    const box = this.#boxOf(this.#at);
    if (!box) return;
    const { scrollTop, scrollLeft, clientHeight, clientWidth } = this.#scroller;
    if (box.top - HEAD_HEIGHT < scrollTop) this.#scroller.scrollTop = box.top - HEAD_HEIGHT;
    else if (box.top + box.height > scrollTop + clientHeight) {
      this.#scroller.scrollTop = box.top + box.height - clientHeight;
    }
    const isSticky = this.#head.keepsFirst;
    const covered = isSticky ? this.#head.cells[0]!.offsetWidth : 0;
    if (this.#at.column === 0 && isSticky) return;
    if (box.left - covered < scrollLeft) this.#scroller.scrollLeft = box.left - covered;
    else if (box.left + box.width > scrollLeft + clientWidth) {
      this.#scroller.scrollLeft = Math.min(box.left - covered, box.left + box.width - clientWidth);
    }
  }

  // the field

  #setUpInput(): void {
    const input = this.#input;
    input.className = "sheet-input";
    input.type = "text";
    input.setAttribute("role", "combobox");
    input.setAttribute("aria-label", text.cell);
    input.setAttribute("aria-haspopup", "grid");
    input.setAttribute("aria-expanded", "true");
    input.setAttribute("aria-controls", "sheet-grid");
    input.autocomplete = "off";
    input.spellcheck = false;
    input.addEventListener("keydown", (event) => this.#onKeyDown(event));
    input.addEventListener("input", () => {
      if (!this.#editing) this.#begin(false);
      this.#suggest();
    });
    input.addEventListener("compositionstart", () => {
      if (!this.#editing) this.#begin(false);
    });
    input.addEventListener("focus", () => {
      this.element.classList.add("has-focus");
      if (!this.#editing) this.#layInput();
    });
    input.addEventListener("blur", () => {
      this.element.classList.remove("has-focus");
      this.#finish(0, 0);
    });
    input.addEventListener("copy", (event) => {
      if (this.#editing || !event.clipboardData) return;
      event.preventDefault();
      this.host.copy(this.range, event.clipboardData);
    });
    input.addEventListener("cut", (event) => {
      if (this.#editing || !event.clipboardData) return;
      event.preventDefault();
      this.host.cut(this.range, event.clipboardData);
    });
    input.addEventListener("paste", (event) => {
      if (this.#editing || !event.clipboardData) return;
      event.preventDefault();
      this.host.paste(this.range, event.clipboardData.getData("text/plain"));
    });
  }

  /** Lay the field over the cell, with its text, unless something is being typed. */
  #layInput(): void {
    const at = this.#editing?.at ?? this.#at;
    const box = this.#boxOf(at);
    if (box) {
      this.#input.style.transform = `translate(${box.left}px, ${box.top}px)`;
      this.#input.style.width = `${box.width}px`;
    }
    if (this.#editing) return;
    const hasRow = at.row < this.host.rowCount();
    const value = hasRow ? this.host.cell(at.row, COLUMNS[at.column]!).text : "";
    this.#input.readOnly = !this.#canEdit(at);
    this.#input.value = value;
    this.#before = this.#input.value;
    if (document.activeElement === this.#input) this.#input.select();
    this.#handle.hidden = !hasRow;
  }

  #canEdit(at: Place): boolean {
    return at.row < this.host.rowCount() && isEditable(COLUMNS[at.column]!);
  }

  #begin(isInText: boolean): void {
    this.#editing = { at: this.#at, isInText };
    this.element.classList.add("is-editing");
    this.#anchor = this.#at;
    this.#paintRange();
  }

  /** Keep what is typed, if anything is, and go on from there. */
  #finish(down: number, right: number): void {
    const editing = this.#editing;
    if (editing) {
      this.#editing = null;
      this.#suggestions.hide();
      this.element.classList.remove("is-editing");
      const value = this.#input.value;
      if (value !== this.#before) this.host.commit(editing.at.row, COLUMNS[editing.at.column]!, value);
    }
    if (down || right) this.#step(down, right, false);
    else if (editing) this.#layInput();
  }

  #cancel(): void {
    this.#editing = null;
    this.#suggestions.hide();
    this.element.classList.remove("is-editing");
    this.#layInput();
    this.#paintRange();
  }

  #suggest(): void {
    const editing = this.#editing;
    if (!editing) return;
    const found = this.host.suggest(COLUMNS[editing.at.column]!, this.#input.value);
    this.#suggestions.show(found, false);
  }

  // moving

  #moveTo(at: Place, extends_: boolean): void {
    const last = Math.max(this.host.rowCount() - 1, 0);
    this.#at = {
      row: Math.max(0, Math.min(last, at.row)),
      column: Math.max(0, Math.min(COLUMNS.length - 1, at.column)),
    };
    if (!extends_) this.#anchor = this.#at;
    this.#refresh();
  }

  #step(down: number, right: number, extends_: boolean): void {
    this.#moveTo({ row: this.#at.row + down, column: this.#at.column + right }, extends_);
  }

  /** Go to the field after this one, in the next row behind the last; false at the end of the sheet. */
  #tab(step: 1 | -1): boolean {
    let { row, column } = this.#at;
    this.#tabFrom ??= column;
    column += step;
    if (column > LAST_FIELD) [row, column] = [row + 1, FIRST_FIELD];
    else if (column < FIRST_FIELD) [row, column] = [row - 1, LAST_FIELD];
    if (row < 0 || row >= this.host.rowCount()) return false;
    this.#moveTo({ row, column }, false);
    return true;
  }

  /** Go one row on, back to the column where Tab began. */
  #enter(step: 1 | -1): void {
    const column = this.#tabFrom ?? this.#at.column;
    this.#tabFrom = null;
    this.#moveTo({ row: this.#at.row + step, column }, false);
  }

  #onKeyDown(event: KeyboardEvent): void {
    // What an input method does with its keys is its own.
    if (event.isComposing || event.keyCode === 229) return;
    if (this.#editing ? this.#editKey(event) : this.#moveKey(event)) {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  #editKey(event: KeyboardEvent): boolean {
    if (this.#suggestions.onKeyDown(event)) return true;
    const { key, shiftKey, altKey } = event;
    const isInText = this.#editing?.isInText ?? false;
    if (key === "Escape") this.#cancel();
    else if (key === "Enter" && !altKey) {
      this.#finish(0, 0);
      this.#enter(shiftKey ? -1 : 1);
    }
    else if (key === "Tab") {
      this.#finish(0, 0);
      return this.#tab(shiftKey ? -1 : 1);
    } else if (key === "F2") this.#editing = { at: this.#at, isInText: !isInText };
    else if (altKey && key === "ArrowDown") this.showList();
    else if (key === "ArrowDown") this.#finish(1, 0);
    else if (key === "ArrowUp") this.#finish(-1, 0);
    else if (!isInText && key === "ArrowRight") this.#finish(0, 1);
    else if (!isInText && key === "ArrowLeft") this.#finish(0, -1);
    else return false;
    return true;
  }

  #moveKey(event: KeyboardEvent): boolean {
    const page = Math.max(1, Math.floor(this.#scroller.clientHeight / ROW_HEIGHT) - 2);
    const move = moveOf(event, this.host.rowCount(), page);
    if (move) {
      this.#tabFrom = null;
      this.#step(...move, event.shiftKey);
      return true;
    }
    const command = commandOf(event);
    return command !== null && this.#run(command);
  }

  /** Do what a key says; false leaves the key to the page. */
  #run(command: Command): boolean {
    switch (command) {
      case "down":
      case "up":
        this.#enter(command === "down" ? 1 : -1);
        return true;
      case "next":
      case "previous":
        return this.#tab(command === "next" ? 1 : -1);
      case "edit":
        this.edit();
        return true;
      case "list":
        this.showList();
        return true;
      case "selectAll":
        this.selectAll();
        return true;
      case "series":
        this.host.series(this.range, 0);
        return true;
      case "collapse": {
        const { top, bottom, left, right } = this.range;
        if (top === bottom && left === right) return false;
        this.#moveTo(this.#at, false);
        return true;
      }
      case "undo":
      case "redo":
        this.host[command]();
        return true;
      default:
        this.host[command](this.range);
        return true;
    }
  }

  // the mouse

  #onMouseDown(event: MouseEvent): void {
    const place = this.#rows.placeOf(event);
    if (!place || event.button !== 0) return;
    event.preventDefault();
    this.#finish(0, 0);
    this.#tabFrom = null;
    this.focus();
    this.#moveTo(place, event.shiftKey);
    this.#startDrag("select");
  }

  #startDrag(kind: "select" | "series"): void {
    this.#drag = kind;
    const begin = this.range;
    this.#seriesEnd = begin.bottom;
    const stop = new AbortController();
    const onMove = (event: MouseEvent) => {
      const bounds = this.#scroller.getBoundingClientRect();
      if (event.clientY > bounds.bottom - 10) this.#scroller.scrollTop += ROW_HEIGHT;
      else if (event.clientY < bounds.top + HEAD_HEIGHT) this.#scroller.scrollTop -= ROW_HEIGHT;
      const y = event.clientY - bounds.top + this.#scroller.scrollTop - HEAD_HEIGHT;
      const x = event.clientX - bounds.left + this.#scroller.scrollLeft;
      const row = Math.max(0, Math.min(this.host.rowCount() - 1, Math.floor(y / ROW_HEIGHT)));
      if (kind === "series") {
        this.#seriesEnd = Math.max(begin.bottom, row);
        this.#anchor = { row: begin.top, column: begin.left };
        this.#at = { row: this.#seriesEnd, column: begin.right };
      } else {
        const over = this.#head.cells.findIndex((head) => x < head.offsetLeft + head.offsetWidth);
        this.#at = { row, column: over < 0 ? COLUMNS.length - 1 : over };
      }
      this.#draw();
    };
    const onUp = () => {
      stop.abort();
      this.#drag = null;
      if (kind === "series") {
        const range = { ...begin, bottom: this.#seriesEnd };
        if (range.bottom > begin.bottom) this.host.series(range, begin.bottom - begin.top + 1);
        this.#anchor = { row: range.bottom, column: range.right };
        this.#at = { row: range.top, column: range.left };
        this.#draw();
        this.focus();
      }
      this.#layInput();
      this.host.moved(this.#at, this.range);
    };
    addEventListener("mousemove", onMove, { signal: stop.signal });
    addEventListener("mouseup", onUp, { signal: stop.signal });
  }
}
