/** A table in a screen: rows that a signal has, with groups that open and close, and the selection of files. */
import { effect, type ReadonlySignal } from "@preact/signals";
import type { JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { recall, remember } from "../../shared/shell";
import { createTable, type Column, type Table } from "../../shared/table";
import type { FileRow, Group } from "../model/types";
import { choose, chosen } from "../state";

export interface GridProps<Row> {
  /** Names the table, and keeps its widths of columns apart from those of others. */
  readonly id: string;
  readonly label: string;
  readonly columns: readonly Column[];
  readonly groups: ReadonlySignal<readonly Group<Row>[]>;
  readonly sort: ReadonlySignal<{ readonly column: string; readonly descending: boolean }>;
  /** `held` is the element that the cell has now, as in `shared/table.ts`. */
  cell(row: Row, column: string, held: Element | null): string | Node;
  copyText?(row: Row, column: string): string;
  /** What stays the same when the rows are made anew. */
  keyOf(row: Row): string;
  filesOf(row: Row): readonly FileRow[];
  rowClass?(row: Row): string;
  onSort(column: string): void;
  onOpen(row: Row): void;
  onFocus?(row: Row): void;
  /** Anything else that the cells show; when one of these changes, the rows in view are drawn again. */
  readonly redraw?: ReadonlySignal<unknown>;
}

type Line<Row> = { readonly head: Group<Row>; readonly row?: undefined } | { readonly head?: undefined; readonly row: Row };

/** The rows of all open groups, with the heads between them. */
class Lines<Row> {
  #groups: readonly Group<Row>[] = [];
  #starts: number[] = [];
  #closed = new Set<string>();
  count = 0;

  set(groups: readonly Group<Row>[]): void {
    this.#groups = groups;
    this.#starts = [];
    this.count = 0;
    for (const group of groups) {
      this.#starts.push(this.count);
      this.count += this.#lengthOf(group);
    }
  }

  #lengthOf(group: Group<Row>): number {
    return this.isGrouped ? 1 + (this.isOpen(group) ? group.rows.length : 0) : group.rows.length;
  }

  get isGrouped(): boolean {
    return this.#groups.length > 1 || (this.#groups[0]?.heading ?? "") !== "";
  }

  isOpen(group: Group<Row>): boolean {
    return !this.#closed.has(group.heading);
  }

  toggle(group: Group<Row>): void {
    if (!this.#closed.delete(group.heading)) this.#closed.add(group.heading);
    this.set(this.#groups);
  }

  at(line: number): Line<Row> | undefined {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#starts[middle]! <= line) low = middle;
      else high = middle - 1;
    }
    const group = this.#groups[low];
    if (!group) return undefined;
    const within = line - this.#starts[low]!;
    if (this.isGrouped && within === 0) return { head: group };
    const row = group.rows[within - (this.isGrouped ? 1 : 0)];
    return row === undefined ? undefined : { row };
  }

  find(key: string, keyOf: (row: Row) => string): number {
    for (let line = 0; line < this.count; line += 1) {
      const row = this.at(line)?.row;
      if (row !== undefined && keyOf(row) === key) return line;
    }
    return -1;
  }
}

export function Grid<Row>(props: GridProps<Row>): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  // Before the page is drawn, or the rows would come a frame later than all around them.
  useLayoutEffect(() => {
    const lines = new Lines<Row>();
    const table = makeTable(props, lines);
    host.current!.append(table.element);
    const stops = [
      effect(() => {
        const groups = props.groups.value;
        // Who is at a row stays at it; to who types a filter, the first rows are shown.
        const isHere = table.element.contains(document.activeElement);
        const before = isHere ? lines.at(table.focusedRow)?.row : undefined;
        lines.set(groups);
        const at = before === undefined ? -1 : lines.find(props.keyOf(before), props.keyOf);
        table.setRows(lines.count, at < 0 ? {} : { focusedRow: at, keepPosition: true });
      }),
      effect(() => table.setSort(props.sort.value.column, props.sort.value.descending)),
      effect(() => {
        void chosen.value;
        void props.redraw?.value;
        table.refresh();
      }),
    ];
    return () => {
      for (const stop of stops) stop();
      table.destroy();
    };
  }, [props.id]);
  return <div class="grid-host" ref={host} />;
}

function makeTable<Row>(props: GridProps<Row>, lines: Lines<Row>): Table {
  const files = (line: number) => {
    const row = lines.at(line)?.row;
    return row === undefined ? [] : props.filesOf(row);
  };
  const table = createTable({
    label: props.label,
    columns: props.columns,
    cell(line, column, held = null) {
      const row = lines.at(line)?.row;
      return row === undefined ? "" : props.cell(row, column.id, held);
    },
    ...(props.copyText && {
      copyText(line: number, column: Column) {
        const row = lines.at(line)?.row;
        return row === undefined ? "" : props.copyText!(row, column.id);
      },
    }),
    group(line) {
      const head = lines.isGrouped ? lines.at(line)?.head : undefined;
      return head ? { label: head.heading, count: head.rows.length, isOpen: lines.isOpen(head) } : null;
    },
    onToggle(line) {
      const head = lines.at(line)?.head;
      if (!head) return;
      lines.toggle(head);
      table.setRows(lines.count, { focusedRow: line, keepPosition: true });
    },
    selection: {
      has(line) {
        const all = files(line);
        return all.length > 0 && all.every((file) => chosen.peek().has(file.id));
      },
      setRange(from, to, on) {
        choose(idsOf(from, to, files), on);
      },
      count: () => chosen.peek().size,
    },
    rowClass(line) {
      const row = lines.at(line)?.row;
      return row === undefined ? "" : (props.rowClass?.(row) ?? "");
    },
    onSort: (column) => props.onSort(column),
    onOpen(line) {
      const row = lines.at(line)?.row;
      if (row !== undefined) props.onOpen(row);
    },
    onFocus(line) {
      const row = lines.at(line)?.row;
      if (row !== undefined) props.onFocus?.(row);
    },
    onWidths: (widths) => remember(`widths.${props.id}`, JSON.stringify(widths)),
  });
  table.setWidths(readWidths(recall(`widths.${props.id}`)));
  return table;
}

function* idsOf(from: number, to: number, files: (line: number) => readonly FileRow[]): Generator<number> {
  for (let line = from; line <= to; line += 1) for (const file of files(line)) yield file.id;
}

/** What was kept may have been written by any page of this machine. */
function readWidths(kept: string | null): Record<string, number> {
  try {
    const read: unknown = JSON.parse(kept ?? "{}");
    if (typeof read !== "object" || read === null) return {};
    return Object.fromEntries(Object.entries(read).filter(([, width]) => typeof width === "number" && width < 4000));
  } catch {
    return {};
  }
}
