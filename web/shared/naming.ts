/**
 * The naming convention for files and transmittal folders: lenient reading, canonical writing; as src/zddc/naming.py.
 *
 *     ACME-CIV-DWG-0001_A (IFC) - Site layout.pdf        tracking number _ revision (status) - title . extension
 *     2025-10-31_ACME-TRN-0007 (IFC) - Civil package     date _ tracking number (status) - title
 */

import { hasBlank, quoted, trim, trimEnd, trimStart, BLANK_CLASS } from "./pythonText";
import { DATE, DATE_AT_START, parseRevision } from "./revision";
import { STATUSES } from "./statuses";

/**
 * A file name that was read. `reason` says in one sentence why it is not `valid`, and is empty if it is valid.
 *
 * If the name does not have this shape at all, `title` is its stem, and only the extension is read.
 */
export interface ParsedName {
  readonly trackingNumber: string;
  readonly revision: string;
  readonly status: string;
  readonly title: string;
  readonly extensionAsWritten: string;
  /** Without its dot, in lower case, so that PDF and pdf are one kind of file. */
  readonly extension: string;
  readonly valid: boolean;
  readonly reason: string;
}

/** As ParsedName, for a transmittal folder; if the name does not have this shape at all, `title` is the whole name. */
export interface ParsedFolder {
  readonly date: string;
  readonly trackingNumber: string;
  readonly status: string;
  readonly title: string;
  readonly valid: boolean;
  readonly reason: string;
}

/** The parts of a file name that is to be written; `extension` may start with a dot and keeps its letter case. */
export interface NameFields {
  readonly trackingNumber: string;
  readonly revision: string;
  readonly status: string;
  readonly title: string;
  readonly extension: string;
}

export interface FolderFields {
  readonly date: string;
  readonly trackingNumber: string;
  readonly status: string;
  readonly title: string;
}

/** Parts that cannot be written; the message says which one, and why. */
export class NamingError extends Error {
  override readonly name = "NamingError";
}

const NEVER: readonly (readonly [string, RegExp])[] = [
  ["the name is not valid Unicode text", /\p{Cs}/u],
  ["a control character or line break in the name", /[\x00-\x1f\x7f-\x9f\u2028\u2029]/],
  ["a path separator in the name", /[/\\]/],
];
const STATUS_FIRST = new RegExp(`^[^_(${BLANK_CLASS.slice(1, -1)}]+${BLANK_CLASS}+\\([^)]*\\)${BLANK_CLASS}*-`);
/** Hyphens, dashes and the minus sign that word processors put in place of the ASCII hyphen. */
export const DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d";
const OTHER_DASH = new RegExp(`^([^_]*_[^(]*\\([^)]*\\)${BLANK_CLASS}*)[${DASHES}]`);

/** The text does not have the shape of a name. No Error: the trace that one keeps takes longer than all of the rest. */
class ShapeProblem {
  constructor(readonly reason: string) {}
}

/** Returns what a callback returns, or the reason why a name does not have its shape. */
function readOrReason<T>(read: () => T): T | string {
  try {
    return read();
  } catch (error) {
    if (error instanceof ShapeProblem) return error.reason;
    throw error;
  }
}

/**
 * Reads the name of a file, given without its folders; never throws.
 *
 * White space around "(status)", the hyphen and the extension may vary or be missing. The title ends at the last dot.
 */
export function parseFilename(name: string): ParsedName {
  const read = readOrReason(() => {
    checkCharacters(name);
    const [trackingNumber, revision, status, rest] = split(name, "tracking number", "revision");
    const [title, extension] = titleAndExtension(rest);
    return { trackingNumber, revision, status, title, extensionAsWritten: extension };
  });
  if (typeof read === "string") {
    const dot = name.lastIndexOf(".");
    const hasStem = dot > 0; // else no dot at all, or a name such as ".profile", which is no extension
    const extension = hasStem ? name.slice(dot + 1) : "";
    return {
      trackingNumber: "",
      revision: "",
      status: "",
      title: hasStem ? name.slice(0, dot) : name,
      extensionAsWritten: extension,
      extension: extension.toLowerCase(),
      valid: false,
      reason: read,
    };
  }
  const reason = revisionProblem(read.revision) || statusProblem(read.status);
  return { ...read, extension: read.extensionAsWritten.toLowerCase(), valid: !reason, reason };
}

/** Reads the name of a transmittal folder, given without the folders above it; never throws. */
export function parseFoldername(name: string): ParsedFolder {
  const read = readOrReason(() => {
    checkCharacters(name);
    if (!DATE_AT_START.test(name)) throw new ShapeProblem("no date written as YYYY-MM-DD at the start");
    const [date, trackingNumber, status, rest] = split(name, "date", "tracking number");
    if (!DATE.test(date)) throw new ShapeProblem(`'${date}' is not a date written as YYYY-MM-DD`);
    const title = trimEnd(rest);
    if (!title) throw new ShapeProblem("no title");
    return { date, trackingNumber, status, title };
  });
  if (typeof read === "string") {
    return { date: "", trackingNumber: "", status: "", title: name, valid: false, reason: read };
  }
  const reason = dateProblem(read.date) || statusProblem(read.status);
  return { ...read, valid: !reason, reason };
}

/** Returns what `zddc parse --json` prints of a file name; `reason` is there only where the name is not valid. */
export function filenameToJson(read: ParsedName): Record<string, string | boolean> {
  const parts = {
    tracking_number: read.trackingNumber,
    revision: read.revision,
    status: read.status,
    title: read.title,
    extension: read.extension,
    valid: read.valid,
  };
  return read.valid ? parts : { ...parts, reason: read.reason };
}

/** Returns what `zddc parse --json` prints of a folder name; `reason` is there only where the name is not valid. */
export function foldernameToJson(read: ParsedFolder): Record<string, string | boolean> {
  const parts = {
    date: read.date,
    tracking_number: read.trackingNumber,
    status: read.status,
    title: read.title,
    valid: read.valid,
  };
  return read.valid ? parts : { ...parts, reason: read.reason };
}

/** Returns whether a name starts like that of a transmittal folder: a date, then an underscore. */
export function looksLikeFolder(name: string): boolean {
  return DATE_AT_START.test(name) && name[10] === "_";
}

/** Returns the name of the transmittal folder in a ".zip" file; empty for any other file. */
export function folderInZip(name: string): string {
  const dot = name.lastIndexOf(".");
  if (dot < 0 || name.slice(dot + 1).toLowerCase() !== "zip") return "";
  const stem = name.slice(0, dot);
  return looksLikeFolder(stem) ? stem : "";
}

/** Returns whether a zip file counts as a transmittal folder, by its name. */
export function isZippedTransmittal(name: string): boolean {
  return name.slice(-4).toLowerCase() === ".zip" && parseFoldername(folderInZip(name)).valid;
}

/** Returns the canonical file name; throws NamingError if reading it would not give exactly these parts. */
export function formatFilename(fields: NameFields): string {
  const extension = fields.extension.startsWith(".") ? fields.extension.slice(1) : fields.extension;
  const text = `${fields.trackingNumber}_${fields.revision} (${fields.status}) - ${fields.title}.${extension}`;
  const read = parseFilename(text);
  return requireRoundTrip(text, read, [
    ["tracking number", fields.trackingNumber, read.trackingNumber],
    ["revision", fields.revision, read.revision],
    ["status", fields.status, read.status],
    ["extension", extension, read.extensionAsWritten],
    ["title", fields.title, read.title],
  ]);
}

/** Returns the canonical name of a transmittal folder; throws NamingError as `formatFilename` does. */
export function formatFoldername(fields: FolderFields): string {
  const text = `${fields.date}_${fields.trackingNumber} (${fields.status}) - ${fields.title}`;
  const read = parseFoldername(text);
  return requireRoundTrip(text, read, [
    ["date", fields.date, read.date],
    ["tracking number", fields.trackingNumber, read.trackingNumber],
    ["status", fields.status, read.status],
    ["title", fields.title, read.title],
  ]);
}

/** The parser is the only grammar: a name that it does not read back as the same parts is refused. */
function requireRoundTrip(
  text: string,
  read: ParsedName | ParsedFolder,
  parts: readonly (readonly [string, string, string])[],
): string {
  if (!read.valid) throw new NamingError(`cannot write ${quoted(text)}: ${read.reason}`);
  for (const [label, wanted, got] of parts) {
    if (got !== wanted) throw new NamingError(`the ${label} ${quoted(wanted)} would be read back as ${quoted(got)}`);
  }
  return text;
}

/** What is wrong with a name, and the right one, if there is only one possibility; as src/zddc/name_check.py. */
export interface NameVerdict {
  /** Empty if nothing is wrong. */
  readonly reason: string;
  /** Empty if there is none, or more than one. */
  readonly corrected: string;
}

/** Judges the name of a file, or of a zip that stands for a transmittal folder. */
export function suggestFilename(name: string): NameVerdict {
  const stem = folderInZip(name);
  if (stem) {
    const { reason, corrected } = suggestTransmittalName(stem);
    return { reason, corrected: corrected && corrected + name.slice(stem.length) };
  }
  const read = parseFilename(name);
  const meant = parseFilename(withHyphen(name));
  return verdict(name, read.reason, () =>
    formatFilename({ ...meant, status: meant.status.toUpperCase(), extension: meant.extensionAsWritten }),
  );
}

/**
 * Judges the name of a folder; null for one that only groups.
 *
 * A folder whose name starts with a date, and is more than the date, is meant to be a transmittal folder.
 */
export function suggestFoldername(name: string): NameVerdict | null {
  return !DATE_AT_START.test(name) || DATE.test(name) ? null : suggestTransmittalName(name);
}

function suggestTransmittalName(name: string): NameVerdict {
  const meant = parseFoldername(withHyphen(name));
  return verdict(name, parseFoldername(name).reason, () =>
    formatFoldername({ ...meant, status: meant.status.toUpperCase() }),
  );
}

function withHyphen(name: string): string {
  return trim(name).replace(OTHER_DASH, "$1-");
}

/** Only these mistakes have exactly one correction: white space, a dash, the case of the status. */
function verdict(name: string, reason: string, write: () => string): NameVerdict {
  try {
    const corrected = write();
    return corrected === name ? { reason: "", corrected: "" } : { reason: reason || "not in canonical form", corrected };
  } catch (error) {
    if (error instanceof NamingError) return { reason, corrected: "" };
    throw error;
  }
}

function checkCharacters(name: string): void {
  if (!name) throw new ShapeProblem("the name is empty");
  for (const [reason, characters] of NEVER) if (characters.test(name)) throw new ShapeProblem(reason);
}

/** Splits "first_second (status) - rest"; the words name the parts in the reasons. */
function split(name: string, first: string, second: string): [string, string, string, string] {
  if (STATUS_FIRST.test(name)) throw new ShapeProblem(`no ${second} between the ${first} and the status`);
  const underscore = name.indexOf("_");
  if (underscore < 0) throw new ShapeProblem(`no '_' after the ${first}`);
  const head = name.slice(0, underscore);
  if (!head) throw new ShapeProblem(`no ${first} before the '_'`);
  if (hasBlank(head)) throw new ShapeProblem(`white space inside the ${first}`);
  const bracket = name.indexOf("(", underscore + 1);
  const middle = trimEnd(name.slice(underscore + 1, bracket < 0 ? undefined : bracket));
  if (bracket < 0 || middle.includes(" - ")) throw new ShapeProblem(`no '(status)' after the ${second}`);
  if (!middle) throw new ShapeProblem(`nothing between '_' and the status, where the ${second} belongs`);
  if (middle.includes("_")) {
    throw new ShapeProblem(`more than one '_' before the status; neither ${first} nor ${second} may hold one`);
  }
  if (hasBlank(middle)) throw new ShapeProblem(`white space inside the ${second}`);
  if (middle.includes(")")) throw new ShapeProblem(`a round bracket inside the ${second}`);
  return [head, middle, ...statusAndRest(name.slice(bracket + 1))];
}

/** Splits "status) - rest". */
function statusAndRest(text: string): [string, string] {
  const bracket = text.indexOf(")");
  if (bracket < 0) throw new ShapeProblem("no ')' after the status");
  const rest = trimStart(text.slice(bracket + 1));
  if (rest.startsWith("(")) throw new ShapeProblem("a second pair of round brackets before the title");
  if (rest && DASHES.includes(rest[0]!)) {
    throw new ShapeProblem(`'${rest[0]}' between status and title is not the hyphen '-'`);
  }
  if (!rest.startsWith("-")) throw new ShapeProblem("no ' - ' between status and title");
  return [trim(text.slice(0, bracket)), trimStart(rest.slice(1))];
}

function titleAndExtension(text: string): [string, string] {
  const dot = text.lastIndexOf(".");
  const title = dot < 0 ? "" : text.slice(0, dot);
  const extension = trim(text.slice(dot + 1));
  if (!text) throw new ShapeProblem("no title and no extension");
  if (dot < 0 || !extension) throw new ShapeProblem("no extension");
  if (hasBlank(extension)) throw new ShapeProblem("white space inside the extension");
  if (!title) throw new ShapeProblem("no title");
  if (title !== trimEnd(title)) throw new ShapeProblem("white space between the title and the dot of the extension");
  return [title, extension];
}

function statusProblem(status: string): string {
  if (STATUSES.has(status)) return "";
  if (!status) return "the status is empty";
  const upper = status.toUpperCase();
  const hint = STATUSES.has(upper) ? `; did you mean ${upper}` : "";
  return `status '${status}' is not one of the ${STATUSES.size} codes${hint}`;
}

function revisionProblem(revision: string): string {
  const read = parseRevision(revision);
  if (!read.base || read.base.includes("~")) return `revision '${revision}' is not a base with at most one '~' before it`;
  if (read.modifier && !read.modifierType) {
    return `'${read.modifier}' in revision '${revision}' is not '+', a letter and a number`;
  }
  return DATE.test(read.base) ? dateProblem(read.base) : "";
}

function dateProblem(date: string): string {
  return isCalendarDate(date) ? "" : `${date} is not a calendar date`;
}

/** Returns whether a text is a day of the calendar, written as YYYY-MM-DD. */
export function isCalendarDate(text: string): boolean {
  if (!DATE.test(text)) return false;
  const [year, month, day] = text.split("-").map(Number) as [number, number, number];
  if (!year || month < 1 || month > 12 || day < 1) return false;
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return day <= [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]!;
}
