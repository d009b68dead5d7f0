/** Says of a loose file whether it is the official one: by its bytes, else by its name. */

import { caseFold } from "../../shared/pythonText";
import { compareRevisions } from "../../shared/revision";
import { splitName } from "./places";
import type { Archive, Document, FileRow } from "./types";

/** A file that somebody has, and asks about; `sha256` is null where it could not be read. */
export interface LooseFile {
  readonly path: string;
  readonly name: string;
  readonly size: number;
  readonly sha256: string | null;
}

export type CheckState =
  /** The same bytes are in the archive, in the current revision. */
  | "current"
  /** The same bytes are in the archive, in a revision that a newer one replaces. */
  | "superseded"
  /** The same bytes are in the archive, in a draft, in comments, or in what is no document. */
  | "known"
  /** The archive has this name with other bytes. */
  | "other bytes"
  /** By its name it is the current revision; the archive's bytes were not read, so it may differ. */
  | "named current"
  /** By its name it is an older revision; the archive's bytes were not read. */
  | "named superseded"
  /** By its name it is a revision that the archive has not, newer than the current one. */
  | "newer"
  /** By its name it is a revision that the archive has not, older than the current one. */
  | "not there"
  | "unknown";

export interface CheckRow {
  readonly file: LooseFile;
  readonly state: CheckState;
  /** The copy in the archive that it was compared with, or null. */
  readonly match: FileRow | null;
  readonly document: Document | null;
  /** The current revision, and the date on which it first came. */
  readonly currentRevision: string;
  readonly since: string;
}

/** Files of the archive by hash and by name, so that many loose files are found fast. */
export interface Known {
  readonly archive: Archive;
  readonly byHash: ReadonlyMap<string, readonly FileRow[]>;
  readonly byName: ReadonlyMap<string, readonly FileRow[]>;
  readonly sha256: (file: FileRow) => string | undefined;
}

export function knownFiles(archive: Archive, sha256: (file: FileRow) => string | undefined = (file) => file.sha256): Known {
  const byHash = new Map<string, FileRow[]>();
  const byName = new Map<string, FileRow[]>();
  for (const file of archive.files) {
    const hash = sha256(file);
    if (hash) add(byHash, hash, file);
    add(byName, nameKey(file.name), file);
  }
  return { archive, byHash, byName, sha256 };
}

function add(groups: Map<string, FileRow[]>, key: string, file: FileRow): void {
  const known = groups.get(key);
  if (known) known.push(file);
  else groups.set(key, [file]);
}

function nameKey(name: string): string {
  return caseFold(name.normalize("NFC"));
}

/** Returns the files of the archive whose bytes must be known for a loose file to be judged: same name or same size. */
export function filesToHash(known: Known, loose: readonly Pick<LooseFile, "name" | "size">[]): FileRow[] {
  const sizes = new Set(loose.map((one) => one.size));
  const names = new Set(loose.map((one) => nameKey(one.name)));
  return known.archive.files.filter(
    (file) =>
      known.sha256(file) === undefined && (names.has(nameKey(file.name)) || (file.size !== undefined && sizes.has(file.size))),
  );
}

/** Judges a loose file. The bytes decide; the name only where the archive has no file of these bytes. */
export function checkFile(known: Known, file: LooseFile): CheckRow {
  const same = (file.sha256 && known.byHash.get(file.sha256)) || [];
  // Of several copies, one that counts as current is the best news that is true.
  const match = same.find((one) => isCurrent(known, one)) ?? same.find((one) => one.counts) ?? same[0];
  if (match) return row(known, file, stateOfCopy(known, match), match);
  const named = known.byName.get(nameKey(file.name)) ?? [];
  // One whose bytes are not known, and whose size does not tell that it differs.
  const unread = named.find((one) => !differs(known, one, file));
  if (unread) return row(known, file, unread.counts ? namedState(known, unread) : "known", unread);
  if (named.length) return row(known, file, "other bytes", named[0]!);
  return byRevision(known, file);
}

/** Whether a file of the archive is known to have other bytes; equal hashes were found before this is asked. */
function differs(known: Known, one: FileRow, file: LooseFile): boolean {
  if (one.size !== undefined && one.size !== file.size) return true;
  return file.sha256 !== null && known.sha256(one) !== undefined;
}

function byRevision(known: Known, file: LooseFile): CheckRow {
  const parts = splitName(file.name);
  const document = parts.valid ? known.archive.byTrackingNumber.get(parts.trackingNumber) : undefined;
  if (!document) return { file, state: "unknown", match: null, document: null, currentRevision: "", since: "" };
  const there = document.revisions.find((one) => one.text === parts.revision);
  let state: CheckState;
  // The revision is there under another name: with another title, status or extension, and so with other bytes.
  if (there) state = "other bytes";
  else state = compareRevisions(parts.revision, document.current.text) > 0 ? "newer" : "not there";
  return about(file, state, there?.copies[0] ?? null, document);
}

function namedState(known: Known, file: FileRow): CheckState {
  const state = stateOfCopy(known, file);
  return state === "superseded" ? "named superseded" : state === "current" ? "named current" : state;
}

function stateOfCopy(known: Known, copy: FileRow): CheckState {
  const document = documentOf(known, copy);
  if (!document) return "known";
  if (isCurrent(known, copy)) return "current";
  const revision = document.revisions.find((one) => one.text === copy.revision);
  return revision?.isFinalBase ? "superseded" : "known";
}

function isCurrent(known: Known, copy: FileRow): boolean {
  const document = documentOf(known, copy);
  // A draft is never what may be built to, also where there is nothing else.
  return document !== undefined && document.current.isFinalBase && document.current.text === copy.revision;
}

function documentOf(known: Known, copy: FileRow): Document | undefined {
  return copy.counts ? known.archive.byTrackingNumber.get(copy.tracking_number) : undefined;
}

function row(known: Known, file: LooseFile, state: CheckState, match: FileRow): CheckRow {
  return about(file, state, match, documentOf(known, match) ?? null);
}

function about(file: LooseFile, state: CheckState, match: FileRow | null, document: Document | null): CheckRow {
  const current = document?.current;
  return { file, state, match, document, currentRevision: current?.text ?? "", since: current?.copies[0]!.date ?? "" };
}
