/** A transmittal that is being made: its fields, and a row for each file. Every change gives a new one. */
import type { Json, JsonObject } from "../../shared/canonical";
import { isLitter, rowOf } from "../../shared/transmittal/delivery";
import { filesOf, placeOfFile, TEXTS, textOf, type ListedFile, type TextField, type Transmittal } from "../../shared/transmittal/data";
import { PRESENTATION } from "../../shared/transmittal/publishing";
import { problemsOf } from "../../shared/transmittal/checks";
import { formatRow } from "../../shared/transmittal/writing";
import { joinPath, type Place } from "../../shared/files/place";
import { formatFilename, NamingError, parseFilename, suggestFilename } from "../../shared/naming";

export type Fields = Readonly<Partial<Record<TextField, string>>>;
export type RowField = "trackingNumber" | "revision" | "status" | "title" | "extension";

/** Where the bytes of a row are. */
export interface Source {
  readonly place: Place;
  readonly path: string;
}

/** A row of the list. `readName` is how its file is called now, empty where there is none. */
export interface Row {
  readonly id: number;
  readonly trackingNumber: string;
  readonly revision: string;
  readonly status: string;
  readonly title: string;
  readonly extension: string;
  readonly path: string;
  readonly readName: string;
  /** Whether its fields were typed, so that its name follows them. */
  readonly typed: boolean;
  readonly sha256: string;
  readonly size: number;
  readonly source: Source | null;
}

export interface Draft {
  readonly fields: Fields;
  readonly rows: readonly Row[];
  readonly leftLogo: string;
  readonly rightLogo: string;
}

export const EMPTY: Draft = { fields: { type: "Transmittal" }, rows: [], leftLogo: "", rightLogo: "" };

let lastId = 0;

/** Returns the row of a file that was read. */
export function makeRow(source: Source, path: string, sha256: string, size: number): Row {
  return { ...fromListed(rowOf(path, sha256, size)), source };
}

export function fromListed(listed: ListedFile): Row {
  lastId += 1;
  const { trackingNumber, revision, status, title, path, filename, sha256, size } = listed;
  const extension = parseFilename(filename).extensionAsWritten;
  return {
    ...{ id: lastId, trackingNumber, revision, status, title, extension, path, sha256, size },
    ...{ readName: filename, typed: false, source: null },
  };
}

/** Returns how the file of a row is called in the transmittal; empty where its fields make no name. */
export function nameOf(row: Row): string {
  if (!row.typed && row.readName) return row.readName;
  try {
    return formatFilename(row);
  } catch (error) {
    if (error instanceof NamingError) return "";
    throw error;
  }
}

/** Returns why the fields of a row make no name; empty where they do. */
export function namingProblem(row: Row): string {
  if (!row.typed && row.readName) return "";
  try {
    formatFilename(row);
    return "";
  } catch (error) {
    if (error instanceof NamingError) return error.message;
    throw error;
  }
}

export function toListed(row: Row): ListedFile {
  const { trackingNumber, revision, status, title, path, sha256, size } = row;
  return { trackingNumber, revision, status, title, path, filename: nameOf(row), sha256, size };
}

/** Whether publishing must give the file of a row another name than it has now. */
export function isRenamed(row: Row): boolean {
  return row.source !== null && row.readName !== "" && nameOf(row) !== row.readName;
}

/** Changes a field of a row; its name follows from then on. */
export function editRow(draft: Draft, id: number, changes: Partial<Record<RowField, string>>): Draft {
  return { ...draft, rows: draft.rows.map((row) => (row.id === id ? { ...row, ...changes, typed: true } : row)) };
}

export function removeRows(draft: Draft, ids: ReadonlySet<number>): Draft {
  return { ...draft, rows: draft.rows.filter((row) => !ids.has(row.id)) };
}

const keyOf = (row: Row) => `${row.trackingNumber}|${row.revision}`.toLowerCase();

/** Whether two rows may be one file of a document: of an extension that is not known, nothing is said. */
function isOfExtension(one: Row, other: Row): boolean {
  return !one.extension || !other.extension || one.extension.toLowerCase() === other.extension.toLowerCase();
}

/**
 * Adds rows of files: one that is there already takes the bytes of the new one, and so does a row without a file that
 * names the same document, revision and extension.
 */
export function addFiles(draft: Draft, added: readonly Row[]): Draft {
  const rows = [...draft.rows];
  // Under its own name, or under the one that it has been given here.
  const known = new Map(rows.map((row, at) => [joinPath(row.path, row.readName), at]));
  rows.forEach((row, at) => known.set(joinPath(row.path, nameOf(row)), at));
  const waiting = new Map<string, number[]>();
  rows.forEach((row, at) => {
    if (!row.sha256 && row.trackingNumber) waiting.set(keyOf(row), [...(waiting.get(keyOf(row)) ?? []), at]);
  });
  for (const row of added) {
    const places = (row.trackingNumber && waiting.get(keyOf(row))) || [];
    const fitting = places.filter((at) => isOfExtension(rows[at]!, row));
    const at = known.get(joinPath(row.path, nameOf(row))) ?? fitting.find((one) => rows[one]!.extension) ?? fitting[0];
    const before = at === undefined ? undefined : rows[at];
    if (before === undefined || at === undefined) rows.push(row);
    else if (before.typed && !before.sha256) {
      // What was pasted says how the file is to be called.
      rows[at] = { ...row, ...{ id: before.id, status: before.status || row.status, title: before.title || row.title } };
      rows[at] = { ...rows[at]!, typed: rows[at]!.status !== row.status || rows[at]!.title !== row.title };
      waiting.set(keyOf(before), places.filter((one) => one !== at));
    } else if (before.typed && nameOf(before) !== row.readName) {
      rows[at] = { ...before, ...{ sha256: row.sha256, size: row.size, source: row.source } };
    } else rows[at] = { ...row, id: before.id };
  }
  return { ...draft, rows };
}

/** Adds pasted rows, which have no file; those of the same document, revision and extension take over what was pasted. */
export function addPasted(draft: Draft, pasted: readonly Record<RowField, string>[], replace: boolean): Draft {
  const rows = replace ? [] : [...draft.rows];
  const known = new Map<string, number[]>();
  const note = (row: Row, at: number) => {
    // Nothing without a number is pasted: thousands of scans are not gone through for each of them.
    if (row.trackingNumber) known.set(keyOf(row), [...(known.get(keyOf(row)) ?? []), at]);
  };
  rows.forEach(note);
  for (const one of pasted) {
    lastId += 1;
    const made: Row = { ...one, id: lastId, path: "", readName: "", typed: true, sha256: "", size: 0, source: null };
    const places = known.get(keyOf(made)) ?? [];
    const fitting = places.filter((at) => isOfExtension(rows[at]!, made));
    if (!fitting.length) {
      note(made, rows.length);
      rows.push(made);
    }
    for (const at of fitting) {
      const before = rows[at]!;
      const told = { title: one.title || before.title, status: one.status || before.status, extension: before.extension || one.extension };
      const changed = told.title !== before.title || told.status !== before.status;
      rows[at] = { ...before, ...told, typed: before.typed || changed };
    }
  }
  return { ...draft, rows };
}

/** Gives every row whose name does not conform the only right one, where there is one; returns how many, too. */
export function takeCorrections(draft: Draft): { draft: Draft; count: number } {
  let count = 0;
  const rows = draft.rows.map((row) => {
    const corrected = row.readName ? suggestFilename(nameOf(row)).corrected : "";
    if (!corrected) return row;
    count += 1;
    const { trackingNumber, revision, status, title, extensionAsWritten: extension } = parseFilename(corrected);
    return { ...row, trackingNumber, revision, status, title, extension, typed: true };
  });
  return { draft: { ...draft, rows }, count };
}

export function presentationOf(draft: Draft): JsonObject {
  return new Map<string, Json>([...PRESENTATION, ["leftLogo", draft.leftLogo], ["rightLogo", draft.rightLogo]]);
}

/** What must be mended before publishing: of the header, and of each row by its id. */
export interface Problems {
  readonly header: readonly string[];
  readonly rows: ReadonlyMap<number, readonly string[]>;
  readonly count: number;
}

/** Judges a draft as it would be judged when it is published; `today` is written as YYYY-MM-DD. */
export function problemsOfDraft(draft: Draft, today: string): Problems {
  const payload = new Map<string, Json>([
    ["version", 1],
    ...Object.entries(draft.fields).filter(([, value]) => value),
    ["files", draft.rows.map((row) => formatRow(toListed(row)))],
  ]);
  const header: string[] = [];
  const rows = new Map<number, string[]>();
  const add = (id: number, reason: string) => rows.set(id, [...(rows.get(id) ?? []), reason]);
  const idsOf = new Map<string, number[]>();
  for (const row of draft.rows) {
    const name = placeOfFile(toListed(row)) || row.trackingNumber || "a row without a name";
    idsOf.set(name, [...(idsOf.get(name) ?? []), row.id]);
    const reason = namingProblem(row);
    if (reason) add(row.id, reason);
  }
  const told = new Map<string, number>();
  for (const problem of problemsOf({ payload, envelope: new Map(), presentation: new Map() }, today)) {
    const at = problem.lastIndexOf(": ");
    const name = [...prefixesOf(problem)].find((one) => idsOf.has(one));
    if (name === undefined || at < 0) {
      header.push(problem);
      continue;
    }
    // Two rows of one name are told of in their order.
    const ids = idsOf.get(name)!;
    const reason = problem.slice(name.length + 2);
    const turn = told.get(problem) ?? 0;
    told.set(problem, turn + 1);
    const id = ids[Math.min(turn, ids.length - 1)]!;
    if (!rows.get(id)?.length || reason !== "the name is empty") add(id, reason);
  }
  const seen = new Set<string>();
  for (const row of draft.rows) {
    const where = placeOfFile(toListed(row));
    if (where && seen.has(where)) add(row.id, "a second row of one file");
    seen.add(where);
  }
  let count = header.length;
  for (const reasons of rows.values()) count += reasons.length;
  return { header, rows, count };
}

function* prefixesOf(problem: string): Generator<string> {
  for (let at = problem.indexOf(": "); at >= 0; at = problem.indexOf(": ", at + 1)) yield problem.slice(0, at);
}

/** Returns a draft with what a transmittal has: without its digest and signatures, and without files. */
export function reviseOf(transmittal: Transmittal): Draft {
  const fields = Object.fromEntries(TEXTS.map((name) => [name, textOf(transmittal.payload, name)]).filter(([, value]) => value));
  return {
    fields,
    rows: filesOf(transmittal).map(fromListed),
    leftLogo: textOf(transmittal.presentation, "leftLogo"),
    rightLogo: textOf(transmittal.presentation, "rightLogo"),
  };
}

/** Whether the files of a draft are those of one folder, under the names that they have there. */
export function ownFolder(draft: Draft): Place | null {
  const place = draft.rows[0]?.source?.place ?? null;
  const isThere = (row: Row) => row.source?.place === place && row.source?.path === joinPath(row.path, nameOf(row));
  return place?.kind === "local" && draft.rows.every(isThere) ? place : null;
}

/** Whether a file of a folder is one to deliver. */
export function isDelivered(path: string): boolean {
  return !path.split("/").some((part) => part.startsWith(".")) && !isLitter(path);
}
