/** What is odd in the archive, kind by kind. */
import { computed, effect, signal, type Signal } from "@preact/signals";
import type { JSX } from "preact";
import { folderOf, nameOf } from "../../shared/files/place";
import { formatCsv } from "../../shared/csv";
import { download } from "../../shared/save";
import { formatNumber, showToast } from "../../shared/shell";
import { hashFiles, hashes, canRead } from "../hashes";
import { compareFindings, FINDING_KINDS, sameFiles, seekFindings, type Pieces } from "../model/findings";
import { doInPieces } from "../pieces";
import type { Archive, FileRow, Finding, Group } from "../model/types";
import { archive, openDocument, openFile, screen } from "../state";
import { text } from "../text";
import { screensText } from "../textScreens";
import { Grid } from "./grid";

const words = screensText.findings;
const columns = [
  { id: "name", label: words.columns.name, width: 18, grow: true },
  { id: "reason", label: words.columns.reason, width: 22 },
  { id: "correction", label: words.columns.correction, width: 18 },
  { id: "folder", label: words.columns.folder, width: 14 },
];

interface Found {
  readonly findings: readonly Finding[];
  readonly groups: readonly Group<Finding>[];
  /** The files that the findings are about. */
  readonly files: ReadonlyMap<string, FileRow>;
  /** Copies of one revision, kind of file and size: the same or not, which only their bytes tell. */
  readonly alike: readonly FileRow[];
}

/** Null while they are looked for, which takes a second on a large archive: it is done in pieces, as the page goes on. */
const found: Signal<Found | null> = signal(null);
let foundIn: Archive | null = null;
let stop = new AbortController();

effect(() => {
  const known = archive.value;
  const isShown = screen.value === "findings";
  const sums = hashes.value;
  stop.abort();
  if (!known || !isShown) return;
  if (foundIn !== known) found.value = null;
  stop = new AbortController();
  const { signal: stopped } = stop;
  void doInPieces(seek(known, (file) => sums.get(file.path)), stopped).then((result) => {
    if (!result) return;
    found.value = result;
    foundIn = known;
  });
});

function* seek(known: Archive, sha256: (file: FileRow) => string | undefined): Pieces<Found> {
  const all = yield* seekFindings(known, sha256);
  const byKind = new Map<string, Finding[]>(FINDING_KINDS.map((kind) => [kind, []]));
  for (const one of all) byKind.get(one.kind)!.push(one);
  for (const rows of byKind.values()) {
    yield;
    rows.sort(compareFindings);
  }
  const kinds = FINDING_KINDS.filter((kind) => byKind.get(kind)!.length);
  const paths = new Set(all.map((one) => one.path));
  const files = new Map<string, FileRow>();
  const alike: FileRow[] = [];
  for (const [at, file] of known.files.entries()) {
    if (at % AT_ONCE === 0) yield;
    if (paths.has(file.path)) files.set(file.path, file);
  }
  for (const [at, document] of known.documents.entries()) {
    if (at % AT_ONCE === 0) yield;
    for (const copies of sameFiles(document)) if (copies.length > 1) alike.push(...ofOneSize(copies));
  }
  return {
    findings: kinds.flatMap((kind) => byKind.get(kind)!),
    groups: kinds.map((kind) => ({ heading: words.kinds[kind], rows: byKind.get(kind)! })),
    files,
    alike,
  };
}

const AT_ONCE = 1000;

function ofOneSize(copies: readonly FileRow[]): FileRow[] {
  const bySize = new Map<number | undefined, FileRow[]>();
  for (const copy of copies) bySize.set(copy.size, [...(bySize.get(copy.size) ?? []), copy]);
  return [...bySize.values()].filter((same) => same.length > 1).flat();
}

const groups = computed<readonly Group<Finding>[]>(() => found.value?.groups ?? []);
const alike = computed<readonly FileRow[]>(() => found.value?.alike ?? []);
const unread = computed(() => alike.value.filter((file) => !hashes.value.has(file.path)));

export function Findings(): JSX.Element {
  const all = found.value?.findings ?? null;
  return (
    <div class="screen">
      <div class="screen-head">
        <h1>{text.screens.findings}</h1>
        {alike.value.length > 0 && canRead() && (
          unread.value.length > 0 ? (
            <button type="button" title={words.compareHint} onClick={() => void hashFiles(unread.peek(), words.comparing)}>
              {words.compareBytes(formatNumber(unread.value.length))}
            </button>
          ) : (
            <span class="muted">{words.allCompared}</span>
          )
        )}
        <a class="button" href="./classifier.html">
          {words.classifier}
        </a>
        <button type="button" disabled={!all?.length} onClick={exportFindings}>
          {words.export}
        </button>
      </div>
      {all === null ? (
        <p class="empty" role="status">{words.looking}</p>
      ) : all.length ? (
        <Grid<Finding>
          id="findings"
          label={words.list}
          columns={columns}
          groups={groups}
          sort={unsorted}
          keyOf={(one) => JSON.stringify([one.kind, one.path, one.reason])}
          filesOf={filesOf}
          cell={cell}
          onSort={() => undefined}
          onOpen={open}
        />
      ) : (
        <p class="empty">{words.none}</p>
      )}
    </div>
  );
}

export const unsorted = signal({ column: "", descending: false });

function cell(one: Finding, column: string): string {
  if (column === "name") return nameOf(one.path);
  if (column === "folder") return folderOf(one.path);
  return one[column as "reason"];
}

function filesOf(one: Finding): readonly FileRow[] {
  const file = found.peek()?.files.get(one.path);
  return file ? [file] : [];
}

function open(one: Finding): void {
  const file = found.peek()?.files.get(one.path);
  if (file) openFile(file);
  else if (archive.peek()?.byTrackingNumber.has(one.path)) openDocument(one.path);
}

function exportFindings(): void {
  const all = found.peek()?.findings ?? [];
  const rows = all.map((one) => [one.kind, one.path, one.reason, one.correction]);
  download(words.fileName, new Blob([formatCsv([words.csv, ...rows])], { type: "text/csv;charset=utf-8" }));
  showToast(text.exports.done(words.fileName, formatNumber(all.length)));
}
