/**
 * Makes the rows of an archive, sorted by name and then by folder, in the order of UTF-16 units.
 *
 * The names are sorted first, and the rows are made in that order: what is looked at together lies together in memory,
 * which makes filters several times faster than when rows are sorted after they were made. Names are sorted in two
 * steps: by their heads, all up to the first underscore, of which there are few, and then by the rest. The head of a
 * valid name is its tracking number, so the rows of a document lie beside each other.
 */

import { splitName, type NameParts } from "./places";
import { Place, Values, type Value } from "./values";
import type { FileRow, Kind, ListedFile, PlaceOf } from "./types";

/** The rows of one head, of which at least one counts: those from `from` on, up to the one before `to`. */
export interface Run {
  readonly trackingNumber: string;
  readonly from: number;
  readonly to: number;
}

export interface Rows {
  readonly files: readonly FileRow[];
  readonly runs: readonly Run[];
  /** The folders that have files. */
  readonly places: readonly Place[];
  readonly extensions: Values;
  /** Counted where the name is valid, as are the revisions. */
  readonly statuses: Values;
  readonly revisions: Values;
}

export function makeRows(listed: Iterable<ListedFile>): Rows {
  const heads = new Heads(Array.isArray(listed) ? listed : [...listed]);
  const maker = new RowMaker();
  const runs: Run[] = [];
  for (const head of heads.sorted()) {
    const from = maker.files.length;
    const trackingNumber = head.slice(0, -1);
    let isAny = false;
    for (const { name, file, place } of heads.filesOf(head)) {
      if (maker.add(name, file, place, trackingNumber).counts) isAny = true;
    }
    if (isAny) runs.push({ trackingNumber, from, to: maker.files.length });
  }
  const { files, extensions, statuses, revisions } = maker;
  return { files, runs, places: heads.places, extensions, statuses, revisions };
}

/** The files by the heads of their names. A file is the number that it has in the list. */
class Heads {
  readonly places: Place[] = [];
  readonly #placeOf: Int32Array;
  /** The number of each head; the latest file of each head; and of each file the one before it, or -1. */
  readonly #numbers = Object.create(null) as Record<string, number>;
  readonly #latest: number[] = [];
  readonly #before: Int32Array;

  constructor(private readonly listed: readonly ListedFile[]) {
    this.#placeOf = new Int32Array(listed.length);
    this.#before = new Int32Array(listed.length);
    const known = new Map<string, number>();
    let place = -1;
    let prefix = "";
    for (let file = 0; file < listed.length; file += 1) {
      const { path } = listed[file]!;
      const start = path.lastIndexOf("/") + 1;
      // Files mostly come folder by folder: then the folder need not be looked up.
      if (place < 0 || start !== prefix.length || !path.startsWith(prefix)) {
        prefix = path.slice(0, start);
        place = known.get(prefix) ?? -1;
        if (place < 0) {
          known.set(prefix, (place = this.places.length));
          this.places.push(new Place(prefix));
        }
      }
      this.places[place]!.count += 1;
      this.#placeOf[file] = place;
      const underscore = path.indexOf("_", start);
      this.#put(file, underscore < 0 ? path.slice(start) : path.slice(start, underscore + 1));
    }
  }

  #put(file: number, head: string): void {
    const number = this.#numbers[head];
    if (number === undefined) {
      this.#numbers[head] = this.#latest.length;
      this.#latest.push(file);
      this.#before[file] = -1;
    } else {
      this.#before[file] = this.#latest[number]!;
      this.#latest[number] = file;
    }
  }

  /** The keys of an object are sorted several times as fast as pieces of other texts. */
  sorted(): string[] {
    return Object.keys(this.#numbers).sort();
  }

  /** Returns the files of a head, by name and then by folder. */
  filesOf(head: string): readonly Named[] {
    const found: Named[] = [];
    for (let at = this.#latest[this.#numbers[head]!]!; at >= 0; at = this.#before[at]!) {
      const file = this.listed[at]!;
      const place = this.places[this.#placeOf[at]!]!;
      found.push({ name: file.path.slice(place.prefix.length), file, place });
    }
    if (found.length > MOST_INSERTED) return found.sort(compareNamed);
    for (let next = 1; next < found.length; next += 1) {
      const one = found[next]!;
      let at = next;
      for (; at > 0 && compareNamed(found[at - 1]!, one) > 0; at -= 1) found[at] = found[at - 1]!;
      found[at] = one;
    }
    return found;
  }
}

interface Named {
  readonly name: string;
  readonly file: ListedFile;
  readonly place: Place;
}

/** So few are sorted faster by putting each into its place than by the browser, which is made for many. */
const MOST_INSERTED = 24;

function compareNamed(one: Named, other: Named): number {
  if (one.name !== other.name) return one.name < other.name ? -1 : 1;
  return one.place.folder < other.place.folder ? -1 : 1;
}

/** What many files have in common is kept once. */
class ListedRow implements FileRow {
  constructor(
    readonly id: number,
    readonly tracking_number: string,
    readonly title: string,
    readonly revision: string,
    readonly status: string,
    readonly extension: string,
    readonly name: string,
    readonly valid: boolean,
    readonly isZippedTransmittal: boolean,
    private readonly file: ListedFile,
    private readonly at: Place,
  ) {}

  get path(): string {
    return this.file.path;
  }

  get size(): number | undefined {
    return this.file.size;
  }

  get modified(): number | undefined {
    return this.file.modified;
  }

  get sha256(): string | undefined {
    return this.file.sha256;
  }

  get folder(): string {
    return this.at.folder;
  }

  get place(): PlaceOf {
    return this.at.place;
  }

  get party(): string {
    return this.at.place.party;
  }

  get kind(): Kind {
    return this.at.place.kind;
  }

  get transmittal(): string {
    return this.at.transmittal;
  }

  get date(): string {
    return this.at.date;
  }

  /** What was handed in, and nobody has checked yet, is no copy of a document. */
  get counts(): boolean {
    return this.valid && !this.at.isIncoming;
  }
}

class RowMaker {
  readonly files: ListedRow[] = [];
  readonly extensions = new Values();
  readonly statuses = new Values();
  readonly revisions = new Values();
  // What the name of the row before says: files of one name follow each other.
  #name: string | null = null;
  #parts!: NameParts;
  #extension!: Value;
  #status!: Value;
  #revision!: Value;

  add(name: string, file: ListedFile, place: Place, trackingNumber: string): ListedRow {
    if (name !== this.#name) this.#read(name);
    const parts = this.#parts;
    this.#extension.count += 1;
    if (parts.valid) {
      this.#status.count += 1;
      this.#revision.count += 1;
    }
    const row = new ListedRow(
      this.files.length,
      parts.trackingNumber && trackingNumber, // the same text for all that have it
      parts.title, this.#revision.text, this.#status.text, this.#extension.text,
      this.#name!, parts.valid, parts.isZippedTransmittal, file, place,
    );
    this.files.push(row);
    return row;
  }

  #read(name: string): void {
    this.#name = name;
    this.#parts = splitName(name);
    this.#extension = this.extensions.of(this.#parts.extension);
    this.#status = this.statuses.of(this.#parts.status);
    this.#revision = this.revisions.of(this.#parts.revision);
  }
}
