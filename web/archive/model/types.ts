/**
 * What the archive page knows of an archive, without any DOM.
 *
 * `build.ts` makes an Archive of the files that a Place lists; `view.ts` says which files and documents a view shows, in
 * which order and groups; `transmittals.ts`, `findings.ts`, `expected.ts`, `due.ts`, `check.ts`, `compare.ts` and
 * `exports.ts` answer the other questions. All rows are made once and never changed; a changed archive is a new Archive.
 */

import type { ParsedFolder } from "../../shared/naming";

/** A file as a Place lists it; `shared/files.ts` has more, and this is all that the model needs. */
export interface ListedFile {
  /** "/"-joined below the place. */
  readonly path: string;
  readonly size?: number | undefined;
  /** Milliseconds since 1970. */
  readonly modified?: number | undefined;
  /** In hexadecimal, where it is known. */
  readonly sha256?: string | undefined;
}

/** The kind of folder that a file lies in; empty where it lies in none of these. */
export type Kind = "received" | "issued" | "incoming" | "mdl" | "";

/** The columns of spec/filters.json, by the names that they have in a row. */
export interface Row {
  readonly tracking_number: string;
  readonly title: string;
  readonly revision: string;
  readonly status: string;
  readonly extension: string;
  readonly name: string;
  readonly folder: string;
  readonly party: string;
  readonly transmittal: string;
  readonly date: string;
}

/** Where a folder lies; `transmittal` is null outside of every transmittal. */
export interface PlaceOf {
  readonly party: string;
  readonly kind: Kind;
  readonly transmittal: ParsedFolder | null;
  /** The path of the transmittal's folder; empty outside of every transmittal. */
  readonly transmittalFolder: string;
}

/** One file, with the columns that filters ask about. */
export interface FileRow extends Row {
  /** The place of this row in `Archive.files`. */
  readonly id: number;
  readonly path: string;
  readonly place: PlaceOf;
  readonly kind: Kind;
  readonly size: number | undefined;
  readonly modified: number | undefined;
  readonly sha256: string | undefined;
  /** Whether the name follows the convention, so that the file is a copy of a document. */
  readonly valid: boolean;
  /** A zip named like a transmittal folder, which is no document. */
  readonly isZippedTransmittal: boolean;
  /** Whether the file counts for its document: the name is valid, and it does not lie in `incoming`. */
  readonly counts: boolean;
}

/** One revision of a document and its copies, the earliest first; there is at least one. */
export interface Revision {
  readonly text: string;
  readonly copies: readonly FileRow[];
  /** Neither a draft nor with a modifier, so that it may be built to. */
  readonly isFinalBase: boolean;
  readonly isDraft: boolean;
  /** "" for none, else the letter of the modifier in upper case; "+" for a modifier of another form. */
  readonly modifier: string;
}

/** A document and its revisions, the newest first; there is at least one. */
export interface Document {
  readonly trackingNumber: string;
  /** In the order of `Archive.files`. */
  readonly files: readonly FileRow[];
  readonly revisions: readonly Revision[];
  /** The newest revision that is neither a draft nor has a modifier; the newest of all where there is none. */
  readonly current: Revision;
  /** The longest title of all copies, the first of the longest in code point order. */
  readonly longestTitle: string;
  /** Every title, sorted. */
  readonly titles: readonly string[];
  /** The second part of the tracking number, such as CIV; empty where there is none. */
  readonly discipline: string;
}

/** What is in the folders and no file of the archive, and why. */
export interface LeftOut {
  readonly path: string;
  readonly reason: string;
}

/** A transmittal folder, or what lies in a folder outside of every transmittal ("Outstanding"). */
export interface Transmittal {
  /** The folder's path; unique together with `isOutstanding`. */
  readonly folder: string;
  readonly isOutstanding: boolean;
  /** A zip that was not opened: `files` is that zip alone. */
  readonly isZip: boolean;
  readonly party: string;
  readonly kind: Kind;
  readonly date: string;
  readonly trackingNumber: string;
  readonly status: string;
  readonly title: string;
  readonly files: readonly FileRow[];
}

export interface Archive {
  /** Sorted by name, then by folder, so that the files of a document lie beside each other. */
  readonly files: readonly FileRow[];
  /** Sorted by tracking number, in code point order. */
  readonly documents: readonly Document[];
  /** The place in `documents` of each file's document, by the file's id; -1 where the file counts for none. */
  readonly documentNumbers: Int32Array;
  readonly byTrackingNumber: ReadonlyMap<string, Document>;
  /** Newest first; "Outstanding" last. */
  readonly transmittals: readonly Transmittal[];
  /** Sorted; without the empty one. */
  readonly parties: readonly string[];
  /** The extensions, statuses, kinds and modifiers that are there, with how many files have each. */
  readonly extensions: ReadonlyMap<string, number>;
  readonly statuses: ReadonlyMap<string, number>;
  readonly kinds: ReadonlyMap<Kind, number>;
  readonly modifiers: ReadonlyMap<string, number>;
  readonly leftOut: readonly LeftOut[];
}

/** Which files are wanted. Order as the facts' list: selection, expression, columns, modifiers, selected only. */
export interface Selection {
  /** An expression of the filter language. */
  readonly query: string;
  /** Expressions for single columns, by the names that COLUMNS leads to. */
  readonly columns: ReadonlyMap<string, string>;
  /** "" for none (base), "B", "C", "N", "Q", …; null for all. */
  readonly modifiers: ReadonlySet<string> | null;
  readonly kinds: ReadonlySet<Kind> | null;
  readonly parties: ReadonlySet<string> | null;
  readonly extensions: ReadonlySet<string> | null;
  /** Folders, each with all below it; null for all. */
  readonly folders: ReadonlySet<string> | null;
  /** Only files of the current revision of their document. */
  readonly currentOnly: boolean;
  /** Only these files, by id; null for all. */
  readonly only: ReadonlySet<number> | null;
}

/** A line of the register. The columns are those of `zddc list`, which are those of the current revision. */
export interface RegisterRow extends Row {
  readonly document: Document;
  /** The revision that is shown as current: always that of the whole archive, whatever the filter is. */
  readonly shown: Revision;
  /** The files of this document that the selection wants. */
  readonly found: readonly FileRow[];
}

export type FileColumn =
  | "tracking_number" | "title" | "revision" | "status" | "extension" | "name" | "folder" | "party" | "transmittal"
  | "date" | "kind" | "path" | "size" | "modified" | "sha256";

export interface Sort {
  readonly column: FileColumn;
  readonly descending: boolean;
}

export type Grouping = "" | "party" | "discipline" | "status" | "kind" | "transmittal" | "extension";

/** Rows of one group, in order; the single group without a heading where nothing is grouped. */
export interface Group<T> {
  readonly heading: string;
  readonly rows: readonly T[];
}

export type FindingKind =
  | "left out" | "name" | "number" | "conflict" | "duplicate" | "draft issued" | "gap" // as `zddc list --findings`
  | "not conforming" // as `zddc check`
  | "twin" // two paths that some systems take for one
  | "cut path" | "windows";

export interface Finding {
  /** A path, or a tracking number for a gap and a number. */
  readonly path: string;
  readonly kind: FindingKind;
  readonly reason: string;
  /** The right name, where there is only one possibility; empty where there is none. */
  readonly correction: string;
}
