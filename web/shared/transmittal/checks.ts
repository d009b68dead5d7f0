/** The names of a transmittal, and all that is wrong with one before it is published; as src/zddc/transmittal/checks.py. */

import {
  formatFilename,
  formatFoldername,
  isCalendarDate,
  NamingError,
  parseFilename,
} from "../naming";
import { BLANK_CLASS, trim } from "../pythonText";
import { STATUSES } from "../statuses";
import { windowsProblem } from "../windowsNames";
import type { JsonObject } from "../canonical";
import { filesOf, placeOfFile, textOf, type ListedFile, type Transmittal } from "./data";

export const ACKNOWLEDGEMENT = "Acknowledgement";
/** They have somebody who sends, somebody who gets it, and a purpose; any other type is a list of files. */
export const SENT: readonly string[] = ["Transmittal", "Submittal", ACKNOWLEDGEMENT];

const FORBIDDEN = /[\\/:*?"<>|]/g;
const CONTROLS = /[\x00-\x1f\x7f-\x9f]/g;
const BLANKS = new RegExp(`(?:${BLANK_CLASS}|\\ufeff)+`, "g");
const A_BLANK = new RegExp(`${BLANK_CLASS}|\\ufeff`);

/** Returns the title in the names of a transmittal: its subject, else its title, as a file name can have it. */
export function nameTitle(payload: JsonObject): string {
  const title = textOf(payload, "subject") || textOf(payload, "title") || "Transmittal";
  const cleaned = title.replace(FORBIDDEN, "-").replace(CONTROLS, " ").replace(BLANKS, " ");
  return cleaned.replace(/^ +/, "").replace(/[. ]+$/, "") || "Transmittal";
}

/** Returns the name of the folder; throws NamingError where a part of it cannot stand in one. */
export function folderName(payload: JsonObject): string {
  return formatFoldername({
    date: textOf(payload, "date"),
    trackingNumber: textOf(payload, "trackingNumber"),
    status: textOf(payload, "purpose"),
    title: nameTitle(payload),
  });
}

/** Returns the name of the HTML, whose revision is the date if no other is given; throws as `folderName`. */
export function fileName(payload: JsonObject, options: { draft: boolean; revision?: string }): string {
  return formatFilename({
    trackingNumber: textOf(payload, "trackingNumber"),
    revision: (options.draft ? "~" : "") + (options.revision || textOf(payload, "date")),
    status: textOf(payload, "purpose"),
    title: nameTitle(payload),
    extension: "html",
  });
}

/**
 * Returns what must be mended before a transmittal gets a digest, each in one sentence; a draft may have all.
 *
 * `today` is written as YYYY-MM-DD.
 */
export function problemsOf(transmittal: Transmittal, today: string): string[] {
  const { payload } = transmittal;
  const files = filesOf(transmittal);
  const found = [...headerProblems(payload, today)];
  if (!files.length) found.push("no file is listed");
  const documents = new Set<string>();
  for (const listed of files) {
    const name = placeOfFile(listed) || listed.trackingNumber || "a row without a name";
    if (!listed.sha256) found.push(`${name}: no SHA-256`);
    if (textOf(payload, "type") === ACKNOWLEDGEMENT) continue; // lists what came, whatever it is called
    const reason = rowProblem(listed);
    if (reason) found.push(`${name}: ${reason}`);
    const document = JSON.stringify([listed.trackingNumber, listed.revision, parseFilename(listed.filename).extension]);
    if (documents.has(document)) found.push(`${name}: a second file of one document, revision and extension`);
    documents.add(document);
  }
  return found;
}

function* headerProblems(payload: JsonObject, today: string): Generator<string> {
  const isSent = SENT.includes(textOf(payload, "type"));
  for (const name of ["type", "date", "trackingNumber", "purpose", ...(isSent ? ["from", "to"] : [])]) {
    if (!trim(textOf(payload, name))) yield `${name} is missing`;
  }
  if (!trim(textOf(payload, "subject") || textOf(payload, "title"))) yield "subject and title are both missing";
  const number = textOf(payload, "trackingNumber");
  if (number.includes("_") || A_BLANK.test(number)) {
    yield `trackingNumber '${number}' holds a blank or an underscore`;
  }
  const purpose = textOf(payload, "purpose");
  if (purpose && !STATUSES.has(purpose)) yield `purpose '${purpose}' is not one of the ${STATUSES.size} codes`;
  const day = textOf(payload, "date");
  if (day && !isCalendarDate(day)) yield `date '${day}' is not a date written as YYYY-MM-DD`;
  const due = textOf(payload, "responseDue");
  if (due) {
    if (!isCalendarDate(due)) yield `responseDue '${due}' is not a date written as YYYY-MM-DD`;
    else if (due <= today) yield `responseDue '${due}' is not in the future`;
    if (textOf(payload, "type") !== "Submittal") yield "responseDue is for a Submittal only";
  }
  yield* nameProblems(payload);
}

function* nameProblems(payload: JsonObject): Generator<string> {
  let names: string[];
  try {
    names = [folderName(payload), fileName(payload, { draft: true })];
  } catch (error) {
    if (error instanceof NamingError) return; // a part is wrong, and that is told
    throw error;
  }
  for (const name of names) {
    const reason = windowsProblem(name);
    if (reason) {
      yield `the name '${name}': ${reason}`;
      return;
    }
  }
}

function rowProblem(listed: ListedFile): string {
  const read = parseFilename(listed.filename);
  if (!read.valid) return read.reason;
  const isSame =
    read.trackingNumber === listed.trackingNumber &&
    read.revision === listed.revision &&
    read.status === listed.status &&
    read.title === listed.title;
  return isSame ? "" : "the name says something else than the row";
}
