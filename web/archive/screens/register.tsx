/** One row for each document: its current revision, and all revisions that the choices let through. */
import { computed } from "@preact/signals";
import type { JSX } from "preact";
import { setFragment } from "../../shared/shell";
import { visible } from "../../shared/visible";
import type { FileRow, RegisterRow, Revision } from "../model/types";
import { registerGroups, registerSort, sortBy } from "../shown";
import { archive, openDocument, openedDocument } from "../state";
import { text } from "../text";
import { chipClass } from "./document";
import { Grid } from "./grid";
import { Nothing } from "./nothing";

/** More chips than this have no room in a row. */
const MOST_CHIPS = 12;

const columns = [
  { id: "tracking_number", label: text.columns.tracking_number, width: 11, sortable: true },
  { id: "title", label: text.columns.title, width: 11, sortable: true, grow: true },
  { id: "revision", label: text.columns.revision, width: 5.5, sortable: true },
  { id: "status", label: text.columns.status, width: 4.5, sortable: true },
  { id: "date", label: text.columns.date, width: 6.5, sortable: true },
  { id: "party", label: text.columns.party, width: 6.5, sortable: true },
  { id: "revisions", label: text.columns.revisions, width: 10 },
  { id: "extension", label: text.columns.extension, width: 7, sortable: true },
];

export function Register(): JSX.Element {
  return (
    <div class="screen" onClick={press}>
      <h1 class="visually-hidden">{text.screens.register}</h1>
      <Grid<RegisterRow>
        id="register"
        label={text.screens.register}
        columns={columns}
        groups={registerGroups}
        sort={registerSort}
        keyOf={(row) => row.tracking_number}
        filesOf={(row) => row.found}
        cell={cell}
        copyText={copyText}
        redraw={openedDocument}
        rowClass={(row) => (row.tracking_number === openedDocument.peek() ? "is-open" : "")}
        onSort={sortBy}
        onOpen={(row) => openDocument(row.tracking_number)}
        onFocus={follow}
      />
      <Nothing isEmpty={isEmpty.value} />
    </div>
  );
}

const isEmpty = computed(() => registerGroups.value.every((group) => !group.rows.length));

/** Open the file that a chip stands for. */
function press(event: MouseEvent): void {
  const path = (event.target as Element).closest<HTMLElement>("[data-press]")?.dataset["press"];
  const file = path === undefined ? undefined : archive.peek()?.files.find((one) => one.path === path);
  if (file) openDocument(file.tracking_number, file.path);
}

/** What is open on the right follows the row that has the focus. */
function follow(row: RegisterRow): void {
  if (openedDocument.peek()) setFragment({ doc: row.tracking_number, file: null });
}

function cell(row: RegisterRow, column: string, held: Element | null): string | Node {
  if (column === "revisions") return revisionsCell(row, held);
  if (column === "extension") return filesCell(row, held);
  if (column === "title") return row.document.longestTitle;
  return row[column as "status"];
}

function copyText(row: RegisterRow, column: string): string {
  if (column === "revisions") return revisionsOf(row).map((revision) => revision.text).join(" ");
  if (column === "title") return row.document.longestTitle;
  return row[column as "status"];
}

/** The revisions of which the choices let a file through, the newest first. */
function revisionsOf(row: RegisterRow): readonly Revision[] {
  const { revisions } = row.document;
  if (revisions.length === 1) return revisions;
  const wanted = new Set(row.found.map((file) => file.revision));
  return revisions.filter((revision) => wanted.has(revision.text));
}

function revisionsCell(row: RegisterRow, held: Element | null): Node {
  const revisions = revisionsOf(row);
  const chips = revisions.slice(0, MOST_CHIPS).map((revision) => {
    const isCurrent = revision === row.document.current;
    return { label: revision.text, className: `${chipClass(revision)}${isCurrent ? " is-current" : ""}`, path: revision.copies[0]!.path };
  });
  return fillChips(held, chips, revisions.length > MOST_CHIPS);
}

/** A chip for each kind of file of the current revision. */
function filesCell(row: RegisterRow, held: Element | null): Node {
  const first = new Map<string, FileRow>();
  for (const copy of row.shown.copies) if (!first.has(copy.extension)) first.set(copy.extension, copy);
  return fillChips(held, [...first].map(([label, { path }]) => ({ label, className: "chip", path })), false);
}

interface Chip {
  readonly label: string;
  readonly className: string;
  readonly path: string;
}

/** Hundreds of chips are drawn with each key: those that are there already are filled anew. */
function fillChips(held: Element | null, chips: readonly Chip[], isMore: boolean): Element {
  const cell = held ?? document.createElement("span");
  cell.className = "revisions-cell";
  while (cell.childNodes.length > chips.length) cell.lastChild!.remove();
  for (const [at, chip] of chips.entries()) {
    const made = (cell.children[at] as HTMLElement | undefined) ?? cell.appendChild(document.createElement("span"));
    fillChip(made, chip);
  }
  if (isMore) cell.append("…");
  return cell;
}

/** For the mouse: by keyboard a row is opened as a whole, so it is no button. */
function fillChip(made: HTMLElement, { label, className, path }: Chip): void {
  const shown = visible(label);
  if (made.className !== className) made.className = className;
  if (made.textContent !== shown) made.textContent = shown;
  made.dataset["press"] = path;
}
