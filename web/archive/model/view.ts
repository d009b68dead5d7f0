/** Which files and documents a view shows, in which order and groups. */

import { parseFilter, type Column, type Condition } from "../../shared/filters";
import { compareCodePoints } from "../../shared/pythonText";
import { compareRevisionKeys, revisionKey, type RevisionKey } from "../../shared/revision";
import { foldedTexts, modifierOf } from "./build";
import type { Archive, Document, FileColumn, FileRow, Group, Grouping, RegisterRow, Revision, Row, Selection, Sort } from "./types";

export const EVERYTHING: Selection = {
  query: "",
  columns: new Map(),
  modifiers: null,
  kinds: null,
  parties: null,
  extensions: null,
  folders: null,
  currentOnly: false,
  only: null,
};

/** Returns the files that a selection wants, in the order of `archive.files`. Throws FilterError. */
export function selectFiles(archive: Archive, selection: Selection): readonly FileRow[] {
  const words = wordsAlone(selection);
  if (words) return filesWithWords(archive, words);
  const tests = testsOf(archive, selection);
  if (!tests.length) return archive.files;
  const texts = foldedTexts(archive);
  const found: FileRow[] = [];
  outer: for (const file of archive.files) {
    for (const test of tests) if (!test(file, texts[file.id])) continue outer;
    found.push(file);
  }
  return found;
}

/** What is typed mostly is words, and nothing else narrows the list: that has a way of its own, as each key asks it. */
function wordsAlone(selection: Selection): readonly string[] | null {
  const { only, kinds, parties, extensions, modifiers, folders, currentOnly, columns } = selection;
  const isAnyOther = only || kinds || parties || extensions || modifiers || folders || currentOnly || columns.size > 0;
  return isAnyOther ? null : parseFilter(selection.query).words;
}

function filesWithWords(archive: Archive, words: readonly string[]): readonly FileRow[] {
  const [first = "", ...others] = words;
  const { files } = archive;
  const texts = foldedTexts(archive);
  const found: FileRow[] = [];
  for (let at = 0; at < texts.length; at += 1) {
    const text = texts[at]!;
    if (text.includes(first) && (others.length === 0 || others.every((word) => text.includes(word)))) found.push(files[at]!);
  }
  return found;
}

/** In the order in which they are cheap; all of them have to hold. */
function testsOf(archive: Archive, selection: Selection): ((file: FileRow, folded?: string) => boolean)[] {
  const tests: ((file: FileRow, folded?: string) => boolean)[] = [];
  const { only, kinds, parties, extensions, modifiers, folders } = selection;
  if (only) tests.push((file) => only.has(file.id));
  if (kinds) tests.push((file) => kinds.has(file.kind));
  if (parties) tests.push((file) => parties.has(file.party));
  if (extensions) tests.push((file) => extensions.has(file.extension));
  if (modifiers) tests.push((file) => file.valid && modifiers.has(modifierOf(file.revision)));
  if (folders) tests.push(belowOneOf(folders));
  if (selection.currentOnly) {
    const current = currentFiles(archive);
    tests.push((file) => current.has(file));
  }
  for (const condition of conditionsOf(selection)) tests.push(condition);
  return tests;
}

function conditionsOf(selection: Selection): Condition[] {
  const all = [parseFilter(selection.query)];
  for (const [column, text] of selection.columns) {
    if (text.trim()) all.push(inColumn(column as Column, text));
  }
  return all.filter((one) => !one.isEmpty).map((one) => one.condition);
}

/** An expression whose words are sought in one column, unless they name another one. */
function inColumn(column: Column, text: string): ReturnType<typeof parseFilter> {
  parseFilter(text); // in its own words, so that what is wrong is pointed at where it stands
  return parseFilter(`${column}:(${text})`);
}

function belowOneOf(folders: ReadonlySet<string>): (file: FileRow) => boolean {
  const known = new Map<string, boolean>();
  return ({ folder }) => {
    let isBelow = known.get(folder);
    if (isBelow === undefined) {
      isBelow = [...folders].some((one) => one === "" || folder === one || folder.startsWith(`${one}/`));
      known.set(folder, isBelow);
    }
    return isBelow;
  };
}

function currentFiles(archive: Archive): ReadonlySet<FileRow> {
  let known = current.get(archive);
  if (!known) current.set(archive, (known = new Set(archive.documents.flatMap((one) => one.current.copies))));
  return known;
}
const current = new WeakMap<Archive, ReadonlySet<FileRow>>();

/** Returns the columns of a revision as `zddc list` prints it: as it first came, with what all its copies have. */
export function revisionRow(document: Document, revision: Document["current"]): Row {
  const first = revision.copies[0]!;
  return {
    tracking_number: document.trackingNumber,
    revision: revision.text,
    status: first.status,
    date: first.date,
    party: joinValues(revision.copies.map((copy) => copy.party)),
    extension: joinValues(revision.copies.map((copy) => copy.extension)),
    title: first.title,
    transmittal: first.transmittal,
    folder: first.folder,
    name: first.name,
  };
}

function joinValues(values: readonly string[]): string {
  if (values.length === 1) return values[0]!;
  return [...new Set(values.filter(Boolean))].sort(compareCodePoints).join(", ");
}

/**
 * Returns the documents that have at least one of the files, in order and groups. The files are in the order of
 * `archive.files`, as selectFiles returns them.
 *
 * What is shown as current is that of the whole archive: a filter can hide a document, and never makes an older
 * revision look like the current one.
 */
export function register(archive: Archive, files: readonly FileRow[], sort: Sort | null, by: Grouping): Group<RegisterRow>[] {
  const whole = wholeRows(archive);
  const rows = files === archive.files ? whole : makeDocumentRows(archive, files, whole);
  return groupRows(sortRows(rows, sort), by, (row) => groupOf(row, by, row.document));
}

/** The row of each document with all its files, in the order of the documents. */
function wholeRows(archive: Archive): readonly DocumentRow[] {
  let known = wholeRowsOf.get(archive);
  if (!known) wholeRowsOf.set(archive, (known = makeDocumentRows(archive, archive.files, null)));
  return known;
}
const wholeRowsOf = new WeakMap<Archive, readonly DocumentRow[]>();

/** The rows of the documents that have one of the files, which lie beside each other for each document. */
function makeDocumentRows(archive: Archive, files: readonly FileRow[], whole: readonly DocumentRow[] | null): DocumentRow[] {
  const { documents, documentNumbers } = archive;
  const from = new Int32Array(documents.length);
  const to = new Int32Array(documents.length);
  let last = -1;
  for (let at = 0; at < files.length; at += 1) {
    const number = documentNumbers[files[at]!.id]!;
    if (number < 0) continue;
    if (number !== last) from[(last = number)] = at;
    to[number] = at + 1;
  }
  const rows: DocumentRow[] = [];
  for (let number = 0; number < documents.length; number += 1) {
    if (to[number]) rows.push(new DocumentRow(documents[number]!, files, from[number]!, to[number]!, whole?.[number] ?? null));
  }
  return rows;
}

/** What a row shows is found out when it comes into view; only what is sorted or grouped by is asked of all rows. */
class DocumentRow implements RegisterRow {
  #columns: Row | undefined;
  #found: readonly FileRow[] | undefined;

  /** The files from `from` on, up to the one before `to`, are found; `whole` is the row of the document with all its files. */
  constructor(
    readonly document: Document,
    private readonly files: readonly FileRow[],
    private readonly from: number,
    private readonly to: number,
    private readonly whole: DocumentRow | null,
  ) {}

  get shown(): Revision {
    return this.document.current;
  }

  get found(): readonly FileRow[] {
    // Between them are those with such a name that do not count.
    return (this.#found ??= this.files.slice(this.from, this.to).filter((file) => file.counts));
  }

  get columns(): Row {
    return this.whole?.columns ?? (this.#columns ??= revisionRow(this.document, this.shown));
  }

  get tracking_number(): string {
    return this.document.trackingNumber;
  }

  get title(): string {
    return this.columns.title;
  }

  get revision(): string {
    return this.columns.revision;
  }

  get status(): string {
    return this.columns.status;
  }

  get extension(): string {
    return this.columns.extension;
  }

  get name(): string {
    return this.columns.name;
  }

  get folder(): string {
    return this.columns.folder;
  }

  get party(): string {
    return this.columns.party;
  }

  get transmittal(): string {
    return this.columns.transmittal;
  }

  get date(): string {
    return this.columns.date;
  }
}

/** Returns files in order and groups. */
export function fileList(archive: Archive, files: readonly FileRow[], sort: Sort | null, by: Grouping): Group<FileRow>[] {
  const documentOf = (file: FileRow): Document | undefined =>
    file.counts ? archive.byTrackingNumber.get(file.tracking_number) : undefined;
  return groupRows(sortRows(files, sort), by, (row) => groupOf(row, by, documentOf(row)));
}

function groupOf(row: Row & Partial<FileRow>, by: Grouping, document: Document | undefined): string {
  switch (by) {
    case "party":
      return row.party;
    case "discipline":
      return document?.discipline ?? "";
    case "status":
      return row.status;
    case "kind":
      return row.kind ?? document?.current.copies[0]!.kind ?? "";
    case "transmittal":
      return row.transmittal;
    case "extension":
      return row.extension;
    default:
      return "";
  }
}

function groupRows<T>(rows: readonly T[], by: Grouping, headingOf: (row: T) => string): Group<T>[] {
  if (!by) return [{ heading: "", rows }];
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const heading = headingOf(row);
    const known = groups.get(heading);
    if (known) known.push(row);
    else groups.set(heading, [row]);
  }
  return [...groups]
    .sort(([one], [other]) => Number(!one) - Number(!other) || compareCodePoints(one, other))
    .map(([heading, held]) => ({ heading, rows: held }));
}

/** Rows that are equal keep the order of the archive, in either direction. */
function sortRows<T extends Row>(rows: readonly T[], sort: Sort | null): readonly T[] {
  if (!sort) return rows;
  const keys = keysOf(rows, sort.column);
  const places = rows.map((_, at) => at);
  const sign = sort.descending ? -1 : 1;
  places.sort((a, b) => sign * keys.compare(a, b) || a - b);
  return places.map((at) => rows[at]!);
}

function keysOf<T extends Row & Partial<FileRow>>(rows: readonly T[], column: FileColumn): { compare(a: number, b: number): number } {
  if (column === "revision") {
    const known = new Map<string, RevisionKey>();
    const keys = rows.map(({ revision }) => {
      let key = known.get(revision);
      if (!key) known.set(revision, (key = revisionKey(revision)));
      return key;
    });
    return { compare: (a, b) => compareRevisionKeys(keys[a]!, keys[b]!) };
  }
  if (column === "size" || column === "modified") {
    const keys = rows.map((row) => row[column] ?? -1);
    return { compare: (a, b) => keys[a]! - keys[b]! };
  }
  const keys = rows.map((row) => row[column] ?? "");
  return { compare: (a, b) => (keys[a]! < keys[b]! ? -1 : keys[a]! > keys[b]! ? 1 : 0) };
}
