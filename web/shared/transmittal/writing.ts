/** Writes the data of a transmittal: the known fields only, in one order; as src/zddc/transmittal/writing.py. */

import { formatJson, type Json, type JsonObject } from "../canonical";
import { parseFilename } from "../naming";
import { compareRevisions } from "../revision";
import { CLOSING, OPENING } from "./block";
import { fileName, nameTitle } from "./checks";
import { SELF, TEXTS, type ListedFile, type TextField, type Transmittal } from "./data";

/** A browser would read them as the end of the script, or of a line in it. */
const SPECIAL = /[<>&\u2028\u2029]/g;

/**
 * Returns the payload of these fields and files, with the row of the transmittal itself in front.
 *
 * A field that is not there is empty. `revision` is that of the transmittal itself, its date if none is given. Throws
 * NamingError where the HTML can have no name.
 */
export function makePayload(
  fields: Partial<Record<TextField, string>>,
  files: readonly ListedFile[],
  options: { draft: boolean; revision?: string },
): JsonObject {
  const kept = TEXTS.filter((name) => name !== "responseDue" || fields.type === "Submittal");
  const payload = new Map<string, Json>([["version", 1], ...kept.map((name) => [name, fields[name] ?? ""] as const)]);
  const itself: ListedFile = {
    trackingNumber: fields.trackingNumber ?? "",
    revision: options.revision || (fields.date ?? ""),
    status: fields.purpose ?? "",
    title: nameTitle(payload),
    path: "",
    filename: fileName(payload, options),
    sha256: SELF,
    size: 0,
  };
  payload.set("files", [itself, ...sortRows(files)].map(formatRow));
  return payload;
}

/** Returns a row of the list of files as it is written. */
export function formatRow(listed: ListedFile): JsonObject {
  const { size, ...texts } = listed;
  const { trackingNumber, revision, status, title, path, filename, sha256 } = texts;
  return new Map<string, Json>([
    ...Object.entries({ trackingNumber, revision, status, title, path, filename, sha256 }),
    ["fileSize", size],
  ]);
}

/** Returns rows by tracking number without letter case, revision, extension and place; texts by UTF-16 unit. */
export function sortRows(files: readonly ListedFile[]): ListedFile[] {
  const keyed = files.map((listed) => ({
    listed,
    number: listed.trackingNumber.toLowerCase(),
    extension: parseFilename(listed.filename).extension,
  }));
  keyed.sort(
    (one, other) =>
      compareUnits(one.number, other.number) ||
      compareRevisions(one.listed.revision, other.listed.revision) ||
      compareUnits(one.extension, other.extension) ||
      compareUnits(one.listed.path, other.listed.path) ||
      compareUnits(one.listed.filename, other.listed.filename),
  );
  return keyed.map((one) => one.listed);
}

function compareUnits(one: string, other: string): number {
  return one === other ? 0 : one < other ? -1 : 1;
}

/** Returns the data as JSON that may stand in a script of an HTML. */
export function formatData(transmittal: Transmittal): string {
  const { payload, envelope, presentation } = transmittal;
  const data = formatJson(new Map(Object.entries({ payload, envelope, presentation })));
  return data.replace(SPECIAL, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Returns the script with the data. */
export function formatBlock(transmittal: Transmittal): string {
  return `${OPENING}\n${formatData(transmittal)}\n${CLOSING}`;
}
