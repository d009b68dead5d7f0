/** What many files of an archive have in common, each kept once and counted: folders, extensions, statuses, revisions. */

import { compareCodePoints } from "../../shared/pythonText";
import { placeOf } from "./places";
import type { PlaceOf } from "./types";

/** A folder that has files. */
export class Place {
  readonly folder: string;
  readonly place: PlaceOf;
  readonly transmittal: string;
  readonly date: string;
  readonly isIncoming: boolean;
  /** How many files lie in it. */
  count = 0;

  /** `prefix` is the folder with the slash behind it; empty for the top. */
  constructor(readonly prefix: string) {
    this.folder = prefix.slice(0, -1);
    this.place = placeOf(this.folder);
    this.transmittal = this.place.transmittal?.trackingNumber ?? "";
    this.date = this.place.transmittal?.date ?? "";
    this.isIncoming = this.place.kind === "incoming";
  }
}

export interface Value {
  readonly text: string;
  count: number;
}

/** Different texts, and how many files have each. */
export class Values {
  readonly #known = new Map<string, Value>();

  of(text: string): Value {
    let value = this.#known.get(text);
    if (!value) this.#known.set(text, (value = { text, count: 0 }));
    return value;
  }

  [Symbol.iterator](): Iterator<Value> {
    return this.#known.values();
  }
}

/** Returns how many files have each key, in code point order; null is no key. */
export function countBy<T extends { readonly count: number }, K extends string>(
  values: Iterable<T>,
  keyOf: (value: T) => K | null,
): Map<K, number> {
  const counts = new Map<K, number>();
  for (const value of values) {
    const key = keyOf(value);
    if (key !== null && value.count) counts.set(key, (counts.get(key) ?? 0) + value.count);
  }
  return new Map([...counts].sort(([one], [other]) => compareCodePoints(one, other)));
}
