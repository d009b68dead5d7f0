/** What a transmittal brings compared with an earlier one. */
import { parseFilename } from "../../shared/naming";
import { compareRevisions } from "../../shared/revision";
import type { ListedFile } from "../../shared/transmittal/data";

export type Change = "added" | "revised" | "older" | "otherBytes" | "same" | "removed";
export const CHANGES: readonly Change[] = ["otherBytes", "older", "revised", "added", "removed", "same"];

/** One document: `now` is its row in the later transmittal, `before` that in the earlier one. */
export interface Compared {
  readonly change: Change;
  readonly now: ListedFile | null;
  readonly before: ListedFile | null;
}

const documentOf = (row: ListedFile) => row.trackingNumber.toLowerCase() || row.filename.toLowerCase();
const fileOf = (row: ListedFile) => JSON.stringify([documentOf(row), row.revision, parseFilename(row.filename).extension]);

/** Compares two lists: the same document and revision with other bytes and an older revision come first. */
export function compareLists(later: readonly ListedFile[], earlier: readonly ListedFile[]): Compared[] {
  const files = new Map(earlier.map((row) => [fileOf(row), row]));
  const newest = new Map<string, ListedFile>();
  for (const row of earlier) {
    const known = newest.get(documentOf(row));
    if (!known || compareRevisions(known.revision, row.revision) < 0) newest.set(documentOf(row), row);
  }
  const found: Compared[] = later.map((now) => {
    const twin = files.get(fileOf(now));
    if (twin) return { change: twin.sha256 === now.sha256 ? "same" : "otherBytes", now, before: twin };
    const before = newest.get(documentOf(now)) ?? null;
    if (!before) return { change: "added", now, before };
    const isOlder = compareRevisions(now.revision, before.revision) < 0;
    return { change: isOlder ? "older" : now.revision === before.revision ? "added" : "revised", now, before };
  });
  const kept = new Set(later.map(documentOf));
  for (const before of earlier) if (!kept.has(documentOf(before))) found.push({ change: "removed", now: null, before });
  return found.sort((one, other) => CHANGES.indexOf(one.change) - CHANGES.indexOf(other.change));
}
