/** Makes of fields and files what is published: the HTML and the list of hashes; as src/zddc/transmittal/publishing.py. */

import type { Json, JsonObject } from "../canonical";
import { formatSums } from "../hashing";
import { parseFoldername } from "../naming";
import { fileName, folderName } from "./checks";
import { filesOf, placeOfFile, stateOf, type ListedFile, type TextField, type Transmittal } from "./data";
import { makePage } from "./page";
import { makeEnvelope } from "./signatures";
import { makePayload } from "./writing";

export const PRESENTATION: JsonObject = new Map<string, Json>([
  ["leftLogo", ""],
  ["rightLogo", ""],
  ["theme", "default"],
  ["customCss", ""],
]);

/** Returns the fields of a transmittal: what is given, else what the name of its folder says. */
export function fieldsOfFolder(name: string, given: Partial<Record<TextField, string>>): Partial<Record<TextField, string>> {
  const read = parseFoldername(name);
  const known = read.valid
    ? { date: read.date, trackingNumber: read.trackingNumber, purpose: read.status, subject: read.title }
    : {};
  const typed = Object.entries(given).filter(([, value]) => value);
  return { type: "Transmittal", ...known, ...Object.fromEntries(typed) };
}

/** Returns a transmittal, not signed; a draft has no digest. Throws NamingError where the HTML can have no name. */
export async function prepare(
  fields: Partial<Record<TextField, string>>,
  files: readonly ListedFile[],
  options: { draft: boolean; now: Date; presentation?: JsonObject },
): Promise<Transmittal> {
  const payload = makePayload(fields, files, { draft: options.draft });
  const envelope = options.draft ? new Map<string, Json>() : await makeEnvelope(payload, options.now);
  return { payload, envelope, presentation: options.presentation ?? PRESENTATION };
}

/** What is written beside the files: the name of the folder, the HTML, and the list of hashes (none for a draft). */
export interface Published {
  readonly folder: string;
  readonly page: { readonly name: string; readonly html: string };
  readonly sums: string | null;
}

export function publish(transmittal: Transmittal, viewer: string): Published {
  const draft = stateOf(transmittal) === "draft";
  return {
    folder: folderName(transmittal.payload),
    page: { name: fileName(transmittal.payload, { draft }), html: makePage(transmittal, viewer) },
    sums: draft ? null : formatSums(filesOf(transmittal).map((row) => ({ path: placeOfFile(row), sha256: row.sha256 }))),
  };
}
