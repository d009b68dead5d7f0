/**
 * Puts the files of an archive together into documents, revisions and transmittals; as src/zddc/archive/index.py.
 *
 * What a screen does not show at once is found out when it is first asked for.
 */

import { freeText } from "../../shared/filters";
import { foldText } from "../../shared/patterns";
import { compareCodePoints, sortByCodePoints } from "../../shared/pythonText";
import { compareRevisionKeys, parseRevision, revisionKey, type RevisionKey } from "../../shared/revision";
import { makeRows, type Rows, type Run } from "./rows";
import { listTransmittals } from "./transmittals";
import { countBy } from "./values";
import type { Archive, Document, FileRow, Kind, LeftOut, ListedFile, Revision, Transmittal } from "./types";

/** Makes an archive of the files that were listed, in whatever order. */
export function buildArchive(listed: Iterable<ListedFile>, leftOut: readonly LeftOut[] = []): Archive {
  const sorted = [...leftOut].sort((one, other) => compareCodePoints(one.path, other.path));
  return new ArchiveOfFiles(makeRows(listed), sorted);
}

class ArchiveOfFiles implements Archive {
  readonly files: readonly FileRow[];
  readonly documents: readonly Document[];
  readonly documentNumbers: Int32Array;
  readonly parties: readonly string[];
  readonly extensions: ReadonlyMap<string, number>;
  readonly statuses: ReadonlyMap<string, number>;
  readonly kinds: ReadonlyMap<Kind, number>;
  readonly modifiers: ReadonlyMap<string, number>;
  #byTrackingNumber: ReadonlyMap<string, Document> | undefined;
  #transmittals: readonly Transmittal[] | undefined;

  constructor(rows: Rows, readonly leftOut: readonly LeftOut[]) {
    this.files = rows.files;
    const runs = sortRuns(rows.runs);
    const keys = new Map<string, RevisionKey>();
    this.documents = runs.map((run) => new DocumentOfFiles(rows.files, run, keys));
    this.documentNumbers = numberDocuments(rows.files, runs);
    this.parties = sortByCodePoints(new Set(rows.places.map(({ place }) => place.party).filter(Boolean)));
    this.extensions = countBy(rows.extensions, (one) => one.text);
    this.statuses = countBy(rows.statuses, (one) => one.text);
    this.kinds = countBy(rows.places, (one) => one.place.kind);
    this.modifiers = countBy(rows.revisions, (one) => modifierOf(one.text));
  }

  get byTrackingNumber(): ReadonlyMap<string, Document> {
    return (this.#byTrackingNumber ??= new Map(this.documents.map((one) => [one.trackingNumber, one])));
  }

  get transmittals(): readonly Transmittal[] {
    return (this.#transmittals ??= listTransmittals(this.files));
  }
}

function sortRuns(runs: readonly Run[]): Run[] {
  const byNumber = new Map(runs.map((run) => [run.trackingNumber, run]));
  return sortByCodePoints(byNumber.keys()).map((number) => byNumber.get(number)!);
}

function numberDocuments(files: readonly FileRow[], runs: readonly Run[]): Int32Array {
  const numbers = new Int32Array(files.length).fill(-1);
  for (const [number, { from, to }] of runs.entries()) {
    for (let at = from; at < to; at += 1) if (files[at]!.counts) numbers[at] = number;
  }
  return numbers;
}

/** What filters seek in, of each file by its id; made once for each archive. */
export function foldedTexts(archive: Archive): readonly string[] {
  const texts = textsOf(archive);
  foldMore(archive, texts, archive.files.length);
  return texts;
}

/** Make some of these texts, so that nobody has to wait for all of them; returns whether all are made. */
export function prepareFoldedTexts(archive: Archive, howMany: number): boolean {
  const texts = textsOf(archive);
  foldMore(archive, texts, texts.length + howMany);
  return texts.length === archive.files.length;
}

function foldMore({ files }: Archive, texts: string[], until: number): void {
  const end = Math.min(until, files.length);
  for (let at = texts.length; at < end; at += 1) texts.push(foldText(freeText(files[at]!)));
}

function textsOf(archive: Archive): string[] {
  let known = folded.get(archive);
  if (!known) folded.set(archive, (known = []));
  return known;
}
const folded = new WeakMap<Archive, string[]>();

class DocumentOfFiles implements Document {
  readonly trackingNumber: string;
  readonly #all: readonly FileRow[];
  readonly #run: Run;
  readonly #keys: Map<string, RevisionKey>;
  #revisions: readonly Revision[] | undefined;
  #current: Revision | undefined;

  /** `keys` are those of the whole archive, which has few revisions that differ. */
  constructor(all: readonly FileRow[], run: Run, keys: Map<string, RevisionKey>) {
    this.trackingNumber = run.trackingNumber;
    this.#all = all;
    this.#run = run;
    this.#keys = keys;
  }

  get files(): readonly FileRow[] {
    return this.#all.slice(this.#run.from, this.#run.to).filter((file) => file.counts);
  }

  get revisions(): readonly Revision[] {
    return (this.#revisions ??= makeRevisions(this.files, this.#keys));
  }

  get current(): Revision {
    return (this.#current ??= this.revisions.find((one) => one.isFinalBase) ?? this.revisions[0]!);
  }

  get titles(): readonly string[] {
    return sortByCodePoints(new Set(this.files.map((file) => file.title)));
  }

  get longestTitle(): string {
    let longest = "";
    for (const { title } of this.files) {
      const isBetter = title.length > longest.length || (title.length === longest.length && compareCodePoints(title, longest) < 0);
      if (isBetter) longest = title;
    }
    return longest;
  }

  get discipline(): string {
    return this.trackingNumber.split("-", 2)[1] ?? "";
  }
}

function makeRevisions(files: readonly FileRow[], keys: Map<string, RevisionKey>): Revision[] {
  const byText = new Map<string, FileRow[]>();
  for (const file of files) {
    const known = byText.get(file.revision);
    if (known) known.push(file);
    else byText.set(file.revision, [file]);
  }
  const texts = [...byText.keys()];
  for (const text of texts) if (!keys.has(text)) keys.set(text, revisionKey(text));
  if (texts.length > 1) texts.sort((a, b) => compareRevisionKeys(keys.get(b)!, keys.get(a)!) || compareCodePoints(b, a));
  return texts.map((text) => makeRevision(text, byText.get(text)!, keys.get(text)!));
}

function makeRevision(text: string, copies: FileRow[], key: RevisionKey): Revision {
  const { isDraft, modifier, modifierIsDraft } = key.parts;
  return {
    text,
    copies: copies.length > 1 ? copies.sort(compareAges) : copies,
    isFinalBase: !isDraft && !modifier,
    isDraft: isDraft || modifierIsDraft,
    modifier: modifierOf(text),
  };
}

/** Orders copies: earliest transmittal first, then received, issued, others; undated ones last. */
export function compareAges(one: FileRow, other: FileRow): number {
  return (
    Number(!one.date) - Number(!other.date) ||
    compareCodePoints(one.date, other.date) ||
    rankOfKind(one.kind) - rankOfKind(other.kind) ||
    compareCodePoints(one.path, other.path)
  );
}

function rankOfKind(kind: Kind): number {
  return kind === "received" ? 0 : kind === "issued" ? 1 : 2;
}

/** Returns "" for a revision without a modifier, else its letter, or "+" for a modifier of another form. */
export function modifierOf(revision: string): string {
  if (!revision.includes("+")) return "";
  return parseRevision(revision).modifierType || "+";
}
