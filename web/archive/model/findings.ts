/** Says what is odd in an archive; as src/zddc/archive/findings.py and name_check.py, and what pages add to that. */

import { folderOf, nameOf } from "../../shared/files/place";
import { folderInZip, isZippedTransmittal, suggestFilename, suggestFoldername } from "../../shared/naming";
import { caseFold, compareCodePoints, sortByCodePoints } from "../../shared/pythonText";
import { windowsProblem, windowsWarning } from "../../shared/windowsNames";
import { isCanonical } from "./places";
import type { Archive, Document, FileRow, Finding, FindingKind } from "./types";

/** In the order in which they are shown. */
export const FINDING_KINDS: readonly FindingKind[] = [
  "not conforming", "conflict", "duplicate", "draft issued", "gap", "number", "twin", "name", "windows", "cut path",
  "left out",
];

// Letters that look like digits or like each other, which many offices pass over in revisions.
const PASSED_OVER = new Set("IOQSXZ");
const HARD_TO_SERVE = /[\x00-\x1f\x7f\\]|[. ]$/;
/** From here on, some programs cut a path or refuse it. */
const LONG_PATH = 240;
/** Lists of hashes, which belong to no document. */
const LIST_NAME = "SHA256SUMS";

/**
 * Returns what is odd in an archive.
 *
 * Copies are compared by the SHA-256 that is known of them; where none is, by size only, so a conflict between files of
 * one size is not found until they are hashed. `sha256` gives the hash of a file, or nothing where it is not known.
 */
export function findings(archive: Archive, sha256: (file: FileRow) => string | undefined = (file) => file.sha256): Finding[] {
  const work = seekFindings(archive, sha256);
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

/** A piece of work after which there may be a pause. */
export type Pieces<Result> = Generator<void, Result, void>;

/** The same, in pieces that take some milliseconds each: a large archive takes a second. */
export function* seekFindings(archive: Archive, sha256: (file: FileRow) => string | undefined): Pieces<Finding[]> {
  const found: Finding[] = archive.leftOut.map(({ path, reason }) => finding(path, "left out", reason));
  for (const file of yield* inPieces(archive.files, (file) => HARD_TO_SERVE.test(file.name))) {
    found.push(finding(file.path, "name", "not every system can have this name, and no server sends the file"));
  }
  for (const one of likeNumbers(archive)) found.push(one);
  yield;
  for (const [at, document] of archive.documents.entries()) {
    if (at % SOME === 0) yield;
    found.push(...issuedDrafts(document), ...gap(document));
    for (const copies of sameFiles(document)) {
      found.push(...conflicts(copies, sha256), ...duplicates(copies));
    }
  }
  const children = yield* childrenOf(archive);
  yield* notConforming(children, found);
  yield* twins(children, found);
  yield* hardForWindows(archive, found);
  return found;
}

/** So many documents, files or names take a few milliseconds at most. */
const SOME = 500;

/** Returns the values that fulfil something. */
function* inPieces<T>(values: readonly T[], test: (value: T) => boolean): Pieces<T[]> {
  const found: T[] = [];
  for (let at = 0; at < values.length; at += 1) {
    if (at % (4 * SOME) === 0) yield;
    if (test(values[at]!)) found.push(values[at]!);
  }
  return found;
}

/** Says when a piece is done, by how much was done. */
class Count {
  #done = 0;

  isPiece(more = 1): boolean {
    this.#done += more;
    if (this.#done < SOME) return false;
    this.#done = 0;
    return true;
  }
}

function finding(path: string, kind: FindingKind, reason: string, correction = ""): Finding {
  return { path, kind, reason, correction };
}

/** The copies of each revision and extension, the earliest first. */
export function sameFiles(document: Document): FileRow[][] {
  const all: FileRow[][] = [];
  for (const revision of document.revisions) {
    if (revision.copies.length === 1) {
      all.push([revision.copies[0]!]);
      continue;
    }
    const byExtension = new Map<string, FileRow[]>();
    for (const copy of revision.copies) {
      const known = byExtension.get(copy.extension);
      if (known) known.push(copy);
      else byExtension.set(copy.extension, [copy]);
    }
    for (const extension of sortByCodePoints(byExtension.keys())) all.push(byExtension.get(extension)!);
  }
  return all;
}

function* conflicts(copies: readonly FileRow[], sha256: (file: FileRow) => string | undefined): Generator<Finding> {
  const first = copies[0]!;
  for (const copy of copies.slice(1)) {
    const isOther = (one: unknown, other: unknown): boolean => one !== undefined && other !== undefined && one !== other;
    if (isOther(copy.size, first.size) || isOther(sha256(copy), sha256(first))) {
      yield finding(copy.path, "conflict", `other bytes than ${first.path}`);
    }
  }
}

/** A second file of one revision and extension in one transmittal, or in one folder outside of any. */
function* duplicates(copies: readonly FileRow[]): Generator<Finding> {
  if (copies.length < 2) return;
  const seen = new Map<string, FileRow>();
  for (const copy of copies) {
    const { transmittal, party, kind } = copy.place;
    // The same transmittal is one with the same name, also where it lies in two folders.
    const within = transmittal
      ? [transmittal.date, transmittal.trackingNumber, transmittal.status, transmittal.title]
      : ["", copy.folder];
    const key = JSON.stringify([party, kind, ...within]);
    const other = seen.get(key);
    if (other) yield finding(copy.path, "duplicate", `the same document, revision and extension as ${other.path}`);
    else seen.set(key, copy);
  }
}

function* issuedDrafts(document: Document): Generator<Finding> {
  for (const revision of document.revisions) {
    if (!revision.text.includes("~")) continue;
    for (const copy of revision.copies) {
      if (copy.kind === "issued") yield finding(copy.path, "draft issued", `${revision.text} is a working draft`);
    }
  }
}

/** The single letters and the whole numbers that are missing between two revisions. */
function* gap(document: Document): Generator<Finding> {
  const there = new Set(document.revisions.filter((one) => one.isFinalBase).map((one) => one.text));
  const numbers = [...there].filter((text) => /^[0-9]{1,4}$/.test(text)).map(Number);
  const letters = [...there].filter((text) => /^[A-Z]$/.test(text)).sort();
  const missing: string[] = [];
  const [first = "", last = ""] = [letters[0], letters.at(-1)];
  for (const letter of "ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
    if (letters.length && first < letter && letter < last && !there.has(letter) && !PASSED_OVER.has(letter)) missing.push(letter);
  }
  const known = new Set(numbers);
  for (let number = Math.min(...numbers, Infinity); number < Math.max(...numbers, -Infinity); number += 1) {
    if (!known.has(number)) missing.push(String(number));
  }
  if (missing.length) yield finding(document.trackingNumber, "gap", `no revision ${missing.slice(0, 10).join(", ")}`);
}

/** Tracking numbers that differ only in letter case, or in how an accent is encoded. */
function* likeNumbers(archive: Archive): Generator<Finding> {
  const alike = new Map<string, string>();
  const others = new Map<string, string[]>();
  for (const { trackingNumber } of archive.documents) {
    const folded = caseFold(trackingNumber.normalize("NFC"));
    const first = alike.get(folded);
    if (first === undefined) alike.set(folded, trackingNumber);
    else others.set(first, [...(others.get(first) ?? []), trackingNumber]);
  }
  for (const first of alike.values()) {
    for (const other of others.get(first) ?? []) yield finding(other, "number", `nearly the tracking number ${first}`);
  }
}

/** Names that do not follow the convention, with their correction where there is only one; as `zddc check`. */
function* notConforming(byFolder: Children, found: Finding[]): Pieces<void> {
  const count = new Count();
  for (const folder of sortByCodePoints(byFolder.keys())) {
    const children = byFolder.get(folder)!;
    if (count.isPiece(children.size)) yield;
    const verdicts = new Map<string, { reason: string; corrected: string }>();
    for (const [name, isFolder] of children) {
      if (count.isPiece()) yield;
      // A list of hashes is no document.
      if (name === LIST_NAME) continue;
      verdicts.set(name, judge(name, isFolder) ?? CORRECT);
    }
    // Where nothing is to be corrected, nothing can collide.
    if (![...verdicts.values()].some((verdict) => verdict.reason)) continue;
    const claims = new Map<string, number>();
    for (const [name, { corrected }] of verdicts) {
      for (const claim of new Set([caseFold(name), caseFold(corrected || name)])) claims.set(claim, (claims.get(claim) ?? 0) + 1);
    }
    for (const name of sortByCodePoints(verdicts.keys())) {
      const { reason, corrected } = verdicts.get(name)!;
      if (!reason) continue;
      const path = folder ? `${folder}/${name}` : name;
      const collides = corrected && claims.get(caseFold(corrected))! > 1;
      found.push(
        collides
          ? finding(path, "not conforming", `${reason}; as '${corrected}' it would collide with another name here`)
          : finding(path, "not conforming", reason, corrected),
      );
    }
  }
}

const CORRECT = { reason: "", corrected: "" };

function judge(name: string, isFolder: boolean): { reason: string; corrected: string } | null {
  if (!isFolder) return isCanonical(name) && !folderInZip(name) ? CORRECT : suggestFilename(name);
  return isZippedTransmittal(name) ? suggestFilename(name) : suggestFoldername(name);
}

type Children = ReadonlyMap<string, ReadonlyMap<string, boolean>>;

/** The names in each folder, each with whether it is a folder. What is in a zip was sent as it is, and is left alone. */
function* childrenOf(archive: Archive): Pieces<Children> {
  const byFolder = new Map<string, Map<string, boolean>>();
  const put = (folder: string, name: string, isFolder: boolean): boolean => {
    let children = byFolder.get(folder);
    if (!children) byFolder.set(folder, (children = new Map()));
    const isNew = !children.has(name);
    if (isNew) children.set(name, isFolder);
    return isNew;
  };
  /** Whether a folder lies in a zip; each is asked once. */
  const isInZip = new Map<string, boolean>();
  const count = new Count();
  for (const { folder, name } of archive.files) {
    if (count.isPiece()) yield;
    let isInside = isInZip.get(folder);
    if (isInside === undefined) {
      const names = folder ? folder.split("/") : [];
      const zip = names.findIndex(isZippedTransmittal);
      isInZip.set(folder, (isInside = zip >= 0));
      const shown = isInside ? names.slice(0, zip + 1) : names;
      for (let depth = shown.length - 1; depth >= 0; depth -= 1) {
        if (!put(shown.slice(0, depth).join("/"), shown[depth]!, true)) break;
      }
    }
    if (!isInside) put(folder, name, false);
  }
  return byFolder;
}

/** Paths that some systems take for one: equal but for letter case, or in how letters are composed or formed. */
function* twins(byFolder: Children, found: Finding[]): Pieces<void> {
  const count = new Count();
  for (const [folder, children] of byFolder) {
    const first = new Map<string, string>();
    for (const name of sortByCodePoints(children.keys())) {
      if (count.isPiece()) yield;
      const folded = caseFold(name.normalize("NFKC"));
      const other = first.get(folded);
      if (other === undefined) first.set(folded, name);
      else found.push(finding(folder ? `${folder}/${name}` : name, "twin", `some systems take it for '${other}', which is beside it`));
    }
  }
}

/** What Windows cannot hold, or may cut. */
function* hardForWindows(archive: Archive, found: Finding[]): Pieces<void> {
  const folders = new Set<string>();
  const count = new Count();
  for (const file of archive.files) {
    if (count.isPiece()) yield;
    const problem = windowsProblem(file.name);
    if (problem) found.push(finding(file.path, "windows", problem));
    else if (file.path.length > LONG_PATH) {
      const reason = windowsWarning(file.path) || `the path has ${file.path.length} characters, and more in front of it`;
      found.push(finding(file.path, "cut path", reason));
    }
    for (let folder = file.folder; folder && !folders.has(folder); folder = folderOf(folder)) {
      folders.add(folder);
      const wrong = windowsProblem(nameOf(folder));
      if (wrong) found.push(finding(folder, "windows", wrong));
    }
  }
}

/** Orders findings of one kind, by path. */
export function compareFindings(one: Finding, other: Finding): number {
  return compareCodePoints(one.path, other.path) || compareCodePoints(one.reason, other.reason);
}
