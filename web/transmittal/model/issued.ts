/** Revisions that an archive has in its folders `issued`: a new one should be newer. */
import { splitPath } from "../../shared/files/place";
import { folderInZip, parseFilename, parseFoldername } from "../../shared/naming";
import { caseFold } from "../../shared/pythonText";
import { compareRevisions, parseRevision } from "../../shared/revision";

/** A revision of a document as it was issued first: when, and to whom. */
export interface Issued {
  readonly revision: string;
  readonly date: string;
  readonly party: string;
}

/** By the tracking number in any letter case. */
export type IssuedDocuments = ReadonlyMap<string, readonly Issued[]>;

/** Returns the documents that an index lists as issued; throws where it is none. */
export function readIndex(json: string): IssuedDocuments {
  const { files } = JSON.parse(json) as { readonly files?: readonly ({ readonly path?: unknown } | null)[] };
  return readIssued((files ?? []).map((one) => one?.path).filter((path) => typeof path === "string"));
}

const KINDS = ["received", "issued", "incoming", "mdl"];

/** Returns the transmittal that a folder lies in, and its party, where it was issued; as `placeOf` of the archive page. */
export function issuedIn(folder: string): { readonly trackingNumber: string; readonly date: string; readonly party: string } | null {
  const names = folder.split("/");
  const read = names.map((name) => parseFoldername(folderInZip(name) || name));
  const at = read.findIndex((one) => one.valid);
  const kind = names.slice(0, Math.max(at, 0)).findLastIndex((name) => KINDS.includes(name.toLowerCase()));
  if (kind < 0 || names[kind]!.toLowerCase() !== "issued") return null;
  const { trackingNumber, date } = read[at]!;
  return { trackingNumber, date, party: names[kind - 1] ?? "" };
}

function readIssued(paths: Iterable<string>): IssuedDocuments {
  const places = new Map<string, ReturnType<typeof issuedIn>>();
  const found = new Map<string, Issued[]>();
  for (const path of paths) {
    const [folder, name] = splitPath(path);
    if (!places.has(folder)) places.set(folder, issuedIn(folder));
    const where = places.get(folder);
    if (!where) continue;
    const { trackingNumber, revision, valid } = parseFilename(name);
    // The HTML of a transmittal has the number of its folder.
    if (!valid || trackingNumber === where.trackingNumber) continue;
    const key = caseFold(trackingNumber);
    const known = found.get(key) ?? [];
    found.set(key, known);
    known.push({ revision, date: where.date, party: where.party });
  }
  for (const known of found.values()) known.sort((one, other) => (one.date < other.date ? -1 : one.date > other.date ? 1 : 0));
  return found;
}

/** What was issued that a revision is not newer than; `isSame` where it is that very revision. */
export interface NotNewer {
  readonly issued: Issued;
  readonly isSame: boolean;
}

/**
 * Returns what a revision of a document is not newer than; null where it is newer than all that was issued.
 *
 * Drafts and what has a modifier, such as comments, come beside the revisions that count: of them only the same counts.
 */
export function findNotNewer(documents: IssuedDocuments, trackingNumber: string, revision: string): NotNewer | null {
  const known = documents.get(caseFold(trackingNumber)) ?? [];
  const same = known.find((one) => compareRevisions(one.revision, revision) === 0);
  if (same) return { issued: same, isSame: true };
  if (!counts(revision)) return null;
  let newest: Issued | null = null;
  for (const one of known) {
    if (counts(one.revision) && (!newest || compareRevisions(newest.revision, one.revision) < 0)) newest = one;
  }
  return newest && compareRevisions(revision, newest.revision) < 0 ? { issued: newest, isSame: false } : null;
}

function counts(revision: string): boolean {
  const { isDraft, modifier } = parseRevision(revision);
  return !isDraft && !modifier;
}
