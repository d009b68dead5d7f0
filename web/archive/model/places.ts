/** Says fast which document a file is, and where in the archive a folder lies; as src/zddc/archive/names.py. */

import {
  folderInZip, isCalendarDate, isZippedTransmittal, looksLikeFolder, parseFilename, parseFoldername, type ParsedFolder,
} from "../../shared/naming";
import { STATUSES } from "../../shared/statuses";
import type { Kind, PlaceOf } from "./types";

// Most names are in canonical form, and most revisions are letters and digits; the reader of names takes the others.
// White space is what Python takes for it: U+FEFF is none.
const NEVER = "/\\\\\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff";
const BLANK = "\\x20\\xa0\\u1680\\u2000-\\u200a\\u202f\\u205f\\u3000";
const STATUS = [...STATUSES.keys()].join("|");
const TITLE = `[^${BLANK}${NEVER}](?:[^${NEVER}]*[^${BLANK}${NEVER}])?`;
const CANONICAL = new RegExp(
  `^[^_${BLANK}${NEVER}]+_~?[A-Za-z0-9.]+(?:\\+~?[A-Za-z][0-9]{1,9})? \\((?:${STATUS})\\) - ${TITLE}\\.[^.${BLANK}${NEVER}]+$`,
);
const CANONICAL_FOLDER = new RegExp(`^([0-9]{4}-[0-9]{2}-[0-9]{2})_([^_()${BLANK}${NEVER}]+) \\((${STATUS})\\) - (${TITLE})$`);
export const KINDS: readonly Exclude<Kind, "">[] = ["received", "issued", "incoming", "mdl"];

/**
 * Returns whether a name is in canonical form, a zip of a transmittal included; some that are, with an unusual revision,
 * are not known as such.
 */
export function isCanonical(name: string): boolean {
  return CANONICAL.test(name);
}

/** What the name of a file says, as far as it can be read. */
export interface NameParts {
  readonly trackingNumber: string;
  readonly revision: string;
  readonly status: string;
  readonly title: string;
  readonly extension: string;
  readonly valid: boolean;
  readonly isZippedTransmittal: boolean;
}

/** Returns what the name of a file says. A zip named like a transmittal folder is no document. */
export function splitName(name: string): NameParts {
  return isCanonical(name) ? splitCanonical(name) : splitOther(name);
}

/** By the places of the characters between the parts: of such a name they are known. */
function splitCanonical(name: string): NameParts {
  const underscore = name.indexOf("_");
  const bracket = name.indexOf(" (", underscore);
  const dot = name.lastIndexOf(".");
  const extension = name.slice(dot + 1).toLowerCase();
  return {
    trackingNumber: name.slice(0, underscore),
    revision: name.slice(underscore + 1, bracket),
    status: name.slice(bracket + 2, bracket + 5),
    title: name.slice(bracket + 9, dot),
    extension,
    ...asZip(name, extension, true),
  };
}

function splitOther(name: string): NameParts {
  const { trackingNumber, revision, status, title, extension, valid } = parseFilename(name);
  return { trackingNumber, revision, status, title, extension, ...asZip(name, extension, valid) };
}

function asZip(name: string, extension: string, isValid: boolean): Pick<NameParts, "valid" | "isZippedTransmittal"> {
  const isZip = extension === "zip" && folderInZip(name) !== "";
  return { valid: isValid && !isZip, isZippedTransmittal: isZip && isZippedTransmittal(name) };
}

/**
 * Returns where a folder lies, by the names on its path.
 *
 * The first valid transmittal folder on the path counts, with all that is in it. The kind is the last of the KINDS
 * before it, in whatever letter case. The party is the folder around that one, or around the transmittal where there is
 * no kind.
 */
export function placeOf(folder: string): PlaceOf {
  let names = folder ? folder.split("/") : [];
  let transmittal: ParsedFolder | null = null;
  let party = "";
  let transmittalFolder = "";
  for (let depth = 0; depth < names.length; depth += 1) {
    const name = names[depth]!;
    const read = readTransmittal(folderInZip(name) || name);
    if (!read) continue;
    transmittal = read;
    transmittalFolder = names.slice(0, depth + 1).join("/");
    names = names.slice(0, depth);
    party = names.at(-1) ?? "";
    break;
  }
  for (let depth = names.length - 1; depth >= 0; depth -= 1) {
    const kind = KINDS.find((one) => one === names[depth]!.toLowerCase());
    if (kind) return { party: depth ? names[depth - 1]! : "", kind, transmittal, transmittalFolder };
  }
  return { party, kind: "", transmittal, transmittalFolder };
}

/** Returns what the name of a transmittal folder says; null where it is none. */
function readTransmittal(name: string): ParsedFolder | null {
  if (!looksLikeFolder(name)) return null;
  const [, date, trackingNumber, status, title] = CANONICAL_FOLDER.exec(name) ?? [];
  if (date && trackingNumber && status && title && isCalendarDate(date)) {
    return { date, trackingNumber, status, title, valid: true, reason: "" };
  }
  const read = parseFoldername(name);
  return read.valid ? read : null;
}
