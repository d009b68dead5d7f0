/** A folder that is delivered, and what differs from the transmittal that came with it; as src/zddc/transmittal/delivery.py. */

import { compareBytes, hashFile } from "../hashing";
import { joinPath, PlaceError, reasonOf as placeReasonOf, splitPath, type Place } from "../files/place";
import { parseFilename } from "../naming";
import { BLOCK_ID, BlockError } from "./block";
import { ACKNOWLEDGEMENT } from "./checks";
import { filesOf, parseTransmittal, placeOfFile, reasonOf, stateOf, textOf, type ListedFile, type Transmittal } from "./data";
import { judge, type Judgement, type KnownKey } from "./knownKeys";
import { canCheck, checkSignatures, type Check } from "./signatures";

export const LIST_NAME = "SHA256SUMS";
/** Systems leave them in every folder that somebody looks at; nobody delivers them. */
const LITTER: ReadonlySet<string> = new Set([".DS_Store", "Thumbs.db", "desktop.ini"]);
const JOURNAL = /^\.zddc-rename-\d{8}T\d{6}Z-[0-9a-f]{4}\.jsonl$/;
const PAGE = /\.html?$/i;
const LARGEST_PAGE = 64 << 20;
const NOT_CHECKED: Check = { digest: "", intact: null, signatures: [] };
const FILES_AT_ONCE = 4;
/** Several files are read at once, so each of them may fill less of the memory than one alone. */
const LARGEST_IN_MEMORY = 64 << 20;

export type Kind = "verified" | "changed" | "missing" | "extra" | "moved" | "renamed" | "unreadable";
export const KINDS: readonly Kind[] = ["verified", "changed", "missing", "extra", "moved", "renamed", "unreadable"];

/** The SHA-256 of a file, in hexadecimal, and its size; or `reason`, why it has none. */
export interface HashedFile {
  readonly path: string;
  readonly sha256: string;
  readonly reason: string;
  readonly size: number;
}

/** The result for one path. `detail` says where a moved or renamed file is now, or why one cannot be read. */
export interface Finding {
  readonly path: string;
  readonly kind: Kind;
  readonly detail: string;
  /** What the list says, and what is there, of a file that was changed. */
  readonly wanted?: HashedFile;
  readonly found?: HashedFile;
}

/** The HTML of a transmittal by its path from the folder that it is about, and what it says. */
export interface Page {
  readonly name: string;
  readonly transmittal: Transmittal;
}

/** A transmittal and what its bytes and its signatures are worth. */
export interface JudgedPage {
  readonly page: Page;
  readonly check: Check;
  readonly judgements: readonly Judgement[];
}

/** What differs between a folder and its transmittal; `listed` are the findings against a SHA256SUMS that lies there. */
export interface Report {
  readonly judged: JudgedPage;
  readonly findings: readonly Finding[];
  readonly listed: readonly Finding[];
  readonly acknowledgements: readonly JudgedPage[];
  /** The files whose bytes were read for that, by their paths. */
  readonly read: ReadonlyMap<string, HashedFile>;
}

/** The files of a folder by their paths, each with why it cannot be read, empty where it can. */
export interface FolderList {
  readonly files: ReadonlyMap<string, string>;
  readonly folders: readonly string[];
}

export interface ReadOptions {
  readonly signal?: AbortSignal;
  onProgress?(done: number, all: number): void;
}

/** Whether a transmittal was changed, or one of its signatures is not valid. */
export function isWrong({ check, judgements }: JudgedPage): boolean {
  return check.intact === false || judgements.some((one) => one.verdict === "invalid");
}

/** Whether anything is not as it was sent. */
export function differs({ judged, findings, listed, acknowledgements }: Report): boolean {
  return [judged, ...acknowledgements].some(isWrong) || [...findings, ...listed].some((one) => one.kind !== "verified");
}

/** Whether a system has left a file beside what people put there; macOS begins such names with `._`. */
export function isLitter(path: string): boolean {
  const [, name] = splitPath(path);
  return LITTER.has(name) || name.startsWith("._");
}

/** Whether a file is none that anybody delivers: hidden, or left by the system. */
export function isHidden(path: string): boolean {
  return path.split("/").some((part) => part.startsWith(".")) || isLitter(path);
}

/** Returns every file below a place, in the order of the bytes of their paths. */
export async function listFolder(place: Place, options: ReadOptions = {}): Promise<FolderList> {
  const files = new Map<string, string>();
  const folders: string[] = [];
  const onProblem = (path: string, reason: string) => void files.set(path, reason);
  const given = { everything: true, onProblem, ...(options.signal && { signal: options.signal }) };
  for await (const batch of place.batches(given)) {
    for (const entry of batch) {
      if (entry.isFolder) folders.push(entry.path);
      else if (!isOurs(entry.path)) files.set(entry.path, "");
    }
    options.onProgress?.(files.size, files.size);
  }
  return { files: new Map([...files].sort(([one], [other]) => compareBytes(one, other))), folders };
}

/** Whether a path from the folder of a delivery is that of a list of hashes, or of a journal, which nobody delivers. */
function isOurs(path: string): boolean {
  return path === LIST_NAME || JOURNAL.test(path);
}

/** Returns the list of the files below one folder of those listed, with paths that begin there. */
export function listBelow(list: FolderList, folder: string): FolderList {
  if (!folder) return list;
  const below = (path: string) => path.slice(folder.length + 1);
  const files = [...list.files].filter(([path]) => path.startsWith(`${folder}/`)).map(([path, reason]) => [below(path), reason] as const);
  return { files: new Map(files.filter(([path]) => !isOurs(path))), folders: [] };
}

/** Called with a transmittal that is damaged, and why. */
export type OnDamage = (path: string, reason: string) => void;

/**
 * Returns the transmittals in a folder itself, in the order of their names.
 *
 * A page that is listed in another one is a file like any other.
 */
export async function findPages(place: Place, folder: string, list: FolderList, onDamage: OnDamage): Promise<Page[]> {
  const pages: Page[] = [];
  for (const path of list.files.keys()) {
    if (path.includes("/") || !PAGE.test(path)) continue;
    const html = await readPage(place, joinPath(folder, path)).catch(() => null);
    if (!html?.includes(BLOCK_ID)) continue;
    try {
      pages.push({ name: path, transmittal: parseTransmittal(html) });
    } catch (error) {
      // A page may only speak of one.
      if (!(error instanceof BlockError && error.message === "no data block")) onDamage(path, reasonOf(error));
    }
  }
  const main = pages.filter((one) => !isAcknowledgement(one));
  const lists = new Map(main.map((one) => [one.name, new Set(filesOf(one.transmittal).map(placeOfFile))]));
  // One that lists itself, or two that list each other, cannot make themselves unseen.
  const isListed = (name: string) => [...lists].some(([by, places]) => places.has(name) && !lists.get(name)?.has(by));
  return pages.filter((one) => !isListed(one.name));
}

/** Whether a page is one of the transmittal of this number; any other one is sent along, as a file. */
export function isOwnPage(page: Page, number: string): boolean {
  return textOf(page.transmittal.payload, "trackingNumber") === number;
}

/** Where a delivery is in what somebody dropped, its files, and the transmittals with it. */
export interface Delivery {
  readonly folder: string;
  readonly list: FolderList;
  readonly pages: readonly Page[];
}

/** Finds the delivery in a place: the place itself, the only folder in it, or a folder beside its transmittal. */
export async function findDelivery(place: Place, options: ReadOptions, onDamage: OnDamage): Promise<Delivery> {
  const list = await listFolder(place, options);
  const pages = await findPages(place, "", list, onDamage);
  const names = new Set(pages.map((one) => one.name));
  const others = [...list.files.keys()].filter((path) => !path.includes("/") && !names.has(path) && !isLitter(path));
  const folders = list.folders.filter((path) => !path.includes("/"));
  const [only = ""] = folders;
  const isInside = pages.some((one) => filesOf(one.transmittal).some((row) => list.files.has(placeOfFile(row))));
  if (folders.length !== 1 || others.length || isInside) return { folder: "", list, pages };
  const below = listBelow(list, only);
  const inside = await findPages(place, only, below, onDamage);
  if (!pages.length) return { folder: only, list: below, pages: inside };
  // What confirms a transmittal lies in its folder, wherever the transmittal itself does.
  const beside = pages.map((one) => ({ ...one, name: `../${one.name}` }));
  return { folder: only, list: below, pages: [...beside, ...inside.filter(isAcknowledgement)] };
}

async function readPage(place: Place, path: string): Promise<string | null> {
  const file = await place.open(path);
  if (file.size > LARGEST_PAGE) return null;
  return new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
}

export function isAcknowledgement({ transmittal }: Page): boolean {
  return textOf(transmittal.payload, "type") === ACKNOWLEDGEMENT;
}

/** Returns the transmittals that a folder may be about: a draft does not count beside one that was published. */
export function mainPages(pages: readonly Page[]): Page[] {
  const found = pages.filter((one) => !isAcknowledgement(one));
  const published = found.filter((one) => stateOf(one.transmittal) !== "draft");
  return found.length > 1 && published.length ? published : found;
}

/** Returns the acknowledgements of a transmittal. */
export function acknowledgementsOf(page: Page, pages: readonly Page[]): Page[] {
  const number = textOf(page.transmittal.payload, "trackingNumber");
  return pages.filter((one) => one !== page && isAcknowledgement(one) && textOf(one.transmittal.payload, "trackingNumber") === number);
}

/** Returns what a transmittal lists; a row without a hash has a reason. */
export function wantedFiles(transmittal: Transmittal): HashedFile[] {
  return filesOf(transmittal).map((row) => ({
    path: placeOfFile(row) || `${row.trackingNumber}_${row.revision}`,
    sha256: row.sha256,
    reason: row.sha256 ? "" : "the transmittal has no SHA-256 of it",
    size: row.size,
  }));
}

/** Where each wanted file is in a folder, empty where it is not; and what is there besides. */
export interface Match {
  readonly found: ReadonlyMap<string, string>;
  readonly extra: readonly string[];
  /** The files that must be read for a comparison. */
  readonly toRead: readonly string[];
}

/** Finds wanted files by their paths; how accents are encoded makes no other name. */
export function matchFiles(wanted: readonly HashedFile[], list: FolderList, ignored: ReadonlySet<string>): Match {
  const listed = new Set(wanted.map((file) => file.path));
  const extra = new Set([...list.files.keys()].filter((path) => !listed.has(path) && !ignored.has(path)));
  const alike = new Map([...extra].map((path) => [path.normalize("NFC"), path]));
  const found = new Map<string, string>();
  for (const path of listed) found.set(path, list.files.has(path) ? path : (alike.get(path.normalize("NFC")) ?? ""));
  for (const path of found.values()) extra.delete(path);
  const there = [...found.values()].filter(Boolean);
  return { found, extra: [...extra], toRead: there.length < found.size ? [...there, ...extra] : there };
}

/**
 * Compares wanted files with those that were read, in the order of what is wanted; what is not in it comes last.
 *
 * A missing file whose SHA-256 an extra one has was moved there, or renamed where its name is another.
 */
export function compareFiles(
  wanted: readonly HashedFile[],
  list: FolderList,
  ignored: ReadonlySet<string>,
  read: ReadonlyMap<string, HashedFile>,
): Finding[] {
  const { found, extra } = matchFiles(wanted, list, ignored);
  const left = new Set(extra);
  const places = new Map<string, string[]>();
  for (const path of extra) {
    const hash = read.get(path)?.sha256;
    if (hash) places.set(hash, [...(places.get(hash) ?? []), path]);
  }
  const findings: Finding[] = [];
  for (const file of wanted) {
    const at = found.get(file.path);
    const twins = file.sha256 ? (places.get(file.sha256) ?? []) : [];
    if (at) findings.push(compareOne(file, read.get(at), list.files.get(at) ?? ""));
    else if (twins.length) {
      const same = twins.filter((path) => lastName(path) === lastName(file.path));
      const place = (same[0] ?? twins[0])!;
      places.set(file.sha256, twins.filter((path) => path !== place));
      left.delete(place);
      findings.push({ path: file.path, kind: same.length ? "moved" : "renamed", detail: place });
    } else findings.push({ path: file.path, kind: "missing", detail: "" });
  }
  for (const path of left) {
    const reason = list.files.get(path) ?? "";
    findings.push({ path, kind: reason ? "unreadable" : "extra", detail: reason });
  }
  return findings;
}

/** Lists from Windows, and files of an archive that was unpacked there, have backslashes in their paths. */
function lastName(path: string): string {
  return path.split(/[/\\]/).at(-1)!;
}

function compareOne(wanted: HashedFile, found: HashedFile | undefined, listReason: string): Finding {
  const reason = listReason || found?.reason || wanted.reason;
  if (reason || !found) return { path: wanted.path, kind: "unreadable", detail: reason };
  const kind = found.sha256 === wanted.sha256 ? "verified" : "changed";
  return { path: wanted.path, kind, detail: "", ...(kind === "changed" && { wanted, found }) };
}

/** Reads files below a folder of a place and returns their hashes by path; one that cannot be read has a reason. */
export async function hashFiles(
  place: Place,
  folder: string,
  paths: readonly string[],
  options: ReadOptions = {},
): Promise<Map<string, HashedFile>> {
  const read = new Map<string, HashedFile>();
  const waiting = paths.values();
  const work = async () => {
    for (const path of waiting) {
      options.signal?.throwIfAborted();
      read.set(path, await hashOne(place, joinPath(folder, path), path, options.signal));
      options.onProgress?.(read.size, paths.length);
    }
  };
  await Promise.all(Array.from({ length: FILES_AT_ONCE }, work));
  return read;
}

async function hashOne(place: Place, where: string, path: string, signal?: AbortSignal): Promise<HashedFile> {
  try {
    const { sha256, size } = await hashFile(place, where, { largestAtOnce: LARGEST_IN_MEMORY, ...(signal && { signal }) });
    return { path, sha256, reason: "", size };
  } catch (error) {
    if (signal?.aborted) throw error;
    const reason = error instanceof PlaceError || error instanceof DOMException ? placeReasonOf(error) : String(error);
    return { path, sha256: "", reason: `cannot be read: ${reason}`, size: 0 };
  }
}

/**
 * Reads every file of a folder and compares it with one of its pages, and with its SHA256SUMS if it has one.
 *
 * The page may be an acknowledgement: what it confirms lies beside it, and is in no list.
 */
export async function checkDelivery(
  place: Place,
  { folder, list, pages }: Delivery,
  page: Page,
  known: readonly KnownKey[],
  options: ReadOptions = {},
): Promise<Report> {
  const acknowledgements = acknowledgementsOf(page, pages);
  const number = textOf(page.transmittal.payload, "trackingNumber");
  const its = isAcknowledgement(page) ? pages.filter((one) => isOwnPage(one, number)) : acknowledgements;
  const ignored = new Set([page.name, ...its.map((one) => one.name), ...[...list.files.keys()].filter(isLitter)]);
  const wanted = wantedFiles(page.transmittal);
  const sums = await readSums(place, joinPath(folder, LIST_NAME));
  const toRead = new Set(matchFiles(wanted, list, ignored).toRead);
  if (sums) for (const path of matchFiles(sums, list, ignored).toRead) toRead.add(path);
  const readable = [...toRead].filter((path) => !list.files.get(path));
  const read = await hashFiles(place, folder, readable, options);
  return {
    judged: await judgePage(page, known),
    findings: compareFiles(wanted, list, ignored, read),
    listed: sums ? compareFiles(sums, list, ignored, read) : [],
    acknowledgements: await Promise.all(acknowledgements.map((one) => judgePage(one, known))),
    read,
  };
}

/** Returns what a transmittal is worth, without a look at its files. */
export async function judgePage(page: Page, known: readonly KnownKey[]): Promise<JudgedPage> {
  // Over plain HTTP a browser computes no signatures: the files can be compared all the same.
  const check = canCheck() ? await checkSignatures(page.transmittal) : NOT_CHECKED;
  return judgeAgain({ page, check, judgements: [] }, known);
}

/** Returns what a transmittal is worth to somebody who knows these keys. */
export function judgeAgain({ page, check }: JudgedPage, known: readonly KnownKey[]): JudgedPage {
  const digestedAt = textOf(page.transmittal.envelope, "digestedAt");
  return { page, check, judgements: check.signatures.map((one) => judge(one, known, digestedAt)) };
}

/** Returns a report as it is for somebody who knows these keys. */
export function judgeReport(report: Report, known: readonly KnownKey[]): Report {
  const acknowledgements = report.acknowledgements.map((one) => judgeAgain(one, known));
  return { ...report, judged: judgeAgain(report.judged, known), acknowledgements };
}

async function readSums(place: Place, path: string): Promise<HashedFile[] | null> {
  let file: File;
  try {
    file = await place.open(path);
  } catch (error) {
    // One that is there and cannot be read must not count as one that agrees.
    if (error instanceof PlaceError && error.kind === "absent") return null;
    throw error;
  }
  return parseSums(await file.text());
}

/** Returns a list of hashes as sha256sum writes it, also with --tag; throws PlaceError with the line that is none. */
export function parseSums(text: string): HashedFile[] {
  const files: HashedFile[] = [];
  for (const [number, line] of text.replace(/^\ufeff/, "").split("\n").entries()) {
    if (!line.trim() || line.startsWith("#")) continue;
    const whole = line.replace(/\r$/, "");
    const gnu = /^(\\?)([0-9a-fA-F]{64}) [ *](.+)$/s.exec(whole);
    const tagged = /^(\\?)SHA256 \((.+)\) = ([0-9a-fA-F]{64})$/s.exec(whole);
    const [escaped, sha256, name] = gnu ? gnu.slice(1) : tagged ? [tagged[1], tagged[3], tagged[2]] : [];
    const path = name && pathIn(escaped ? name.replace(/\\([\\nr])/g, (_, letter: string) => ({ n: "\n", r: "\r" })[letter] ?? "\\") : name);
    if (!sha256 || !path) throw new PlaceError("format", `${LIST_NAME}:${number + 1}: not a SHA-256 and a path in the folder`);
    files.push({ path, sha256: sha256.toLowerCase(), reason: "", size: 0 });
  }
  return files;
}

function pathIn(name: string): string {
  const parts = name.split("/").filter((part) => part && part !== ".");
  return name.startsWith("/") || parts.includes("..") ? "" : parts.join("/");
}

/** Returns how many findings of each kind there are. */
export function countFindings(findings: readonly Finding[]): ReadonlyMap<Kind, number> {
  return new Map(KINDS.map((kind) => [kind, findings.filter((one) => one.kind === kind).length]));
}

/** Returns the row of a file that is delivered, read from its name. */
export function rowOf(path: string, sha256: string, size: number): ListedFile {
  const [folder, name] = splitPath(path);
  const read = parseFilename(name);
  const fields = read.valid ? read : { trackingNumber: "", revision: "", status: "" };
  return {
    trackingNumber: fields.trackingNumber,
    revision: fields.revision,
    status: fields.status,
    title: read.title,
    path: folder,
    filename: name,
    sha256,
    size,
  };
}
