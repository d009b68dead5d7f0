/** One row for each file, with all that is known of it. */
import { computed, signal } from "@preact/signals";
import type { JSX } from "preact";
import { formatSize, formatTime, setFragment } from "../../shared/shell";
import { detailOf } from "../loading";
import type { FileRow } from "../model/types";
import { fileGroups, fileSort, sortBy } from "../shown";
import { openedDocument, openedFile, openFile } from "../state";
import { text } from "../text";
import { Grid } from "./grid";
import { Nothing } from "./nothing";

const columns = [
  { id: "name", label: text.columns.name, width: 18, sortable: true, grow: true },
  { id: "tracking_number", label: text.columns.tracking_number, width: 10, sortable: true },
  { id: "revision", label: text.columns.revision, width: 5.5, sortable: true },
  { id: "status", label: text.columns.status, width: 4.5, sortable: true },
  { id: "extension", label: text.columns.type, width: 4, sortable: true },
  { id: "party", label: text.columns.party, width: 6, sortable: true },
  { id: "kind", label: text.columns.kind, width: 6, sortable: true },
  { id: "transmittal", label: text.columns.transmittal, width: 8, sortable: true },
  { id: "date", label: text.columns.date, width: 6.5, sortable: true },
  { id: "size", label: text.columns.size, width: 6, sortable: true, align: "end" as const },
  { id: "modified", label: text.columns.modified, width: 9.5, sortable: true },
  { id: "folder", label: text.columns.folder, width: 16, sortable: true },
  { id: "sha256", label: text.columns.sha256, width: 9 },
];

/** Grows when the size of a file in view has become known. */
const known = signal(0);
let isTold = false;

export function Files(): JSX.Element {
  return (
    <div class="screen">
      <h1 class="visually-hidden">{text.screens.files}</h1>
      <Grid<FileRow>
        id="files"
        label={text.screens.files}
        columns={columns}
        groups={fileGroups}
        sort={fileSort}
        redraw={known}
        keyOf={(row) => row.path}
        filesOf={(row) => [row]}
        cell={cell}
        rowClass={(row) => (row.valid ? "" : "is-odd-name")}
        onSort={sortBy}
        onOpen={openFile}
        onFocus={follow}
      />
      <Nothing isEmpty={isEmpty.value} />
    </div>
  );
}

const isEmpty = computed(() => fileGroups.value.every((group) => !group.rows.length));

function follow(row: FileRow): void {
  if (openedDocument.peek() || openedFile.peek()) {
    setFragment({ doc: row.valid ? row.tracking_number : null, file: row.path });
  }
}

function cell(row: FileRow, column: string): string {
  if (column === "size") return withDetail(row, ({ size }) => formatSize(size));
  if (column === "modified") return withDetail(row, ({ modified }) => formatTime(modified));
  return row[column as "name"] ?? "";
}

function withDetail(row: FileRow, format: (detail: { size: number; modified: number }) => string): string {
  const detail = detailOf(row, redrawSoon);
  return detail ? format(detail) : "";
}

/** Many sizes become known at once; the rows are drawn again once. */
function redrawSoon(): void {
  if (isTold) return;
  isTold = true;
  setTimeout(() => {
    isTold = false;
    known.value += 1;
  }, 50);
}
