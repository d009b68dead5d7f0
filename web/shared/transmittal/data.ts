/** Reads the data of a transmittal, as leniently as others write it, and no more; as src/zddc/transmittal/data.py. */

import { JsonError, parseJson, type Json, type JsonObject } from "../canonical";
import { BlockError, findBlock, shiftError } from "./block";

/** In the place of a SHA-256: this row is the transmittal itself, which cannot hold its own hash. */
export const SELF = "self:payload-digest";
export const DIGEST_ALGORITHM = "SHA-256";
export const SIGNATURE_ALGORITHM = "ECDSA-P256-SHA256";
/** The texts of a payload, in the order in which they are written. */
export const TEXTS = [
  "type",
  "title",
  "client",
  "project",
  "projectNumber",
  "subject",
  "remarks",
  "date",
  "trackingNumber",
  "from",
  "to",
  "purpose",
  "responseDue",
] as const;
export type TextField = (typeof TEXTS)[number];
const FILE_TEXTS = ["trackingNumber", "revision", "status", "title", "path", "filename", "sha256"] as const;
const SHA256 = /^[0-9a-fA-F]{64}$/;
const OUT_OF_FOLDER = /(^|\/)\.{1,2}(\/|$)|^\/|\/\/|\/$|\\|\0/;
const NOTHING: JsonObject = new Map();

export type State = "draft" | "digest" | "signed";

/** The data is not that of a transmittal; the message is the reason. */
export class DataError extends Error {
  override readonly name = "DataError";
}

/** A row of the list of files. `sha256` is in lower case, and empty where the row has none; `size` is in bytes. */
export interface ListedFile {
  readonly trackingNumber: string;
  readonly revision: string;
  readonly status: string;
  readonly title: string;
  readonly path: string;
  readonly filename: string;
  readonly sha256: string;
  readonly size: number;
}

/** Returns where a listed file lies, relative to the folder of the transmittal; empty where the row names no file. */
export function placeOfFile(listed: ListedFile): string {
  return listed.path && listed.filename ? `${listed.path}/${listed.filename}` : listed.filename;
}

/** A transmittal as it was read: its three objects as they stand, since the digest is that of every byte. */
export interface Transmittal {
  readonly payload: JsonObject;
  readonly envelope: JsonObject;
  readonly presentation: JsonObject;
}

/** Whether it is a draft, has a digest that everybody can compute, or is signed as well. */
export function stateOf(transmittal: Transmittal): State {
  if (!textOf(transmittal.envelope, "digest")) return "draft";
  return signaturesOf(transmittal).length ? "signed" : "digest";
}

/** Returns the signatures, not judged. */
export function signaturesOf(transmittal: Transmittal): JsonObject[] {
  return itemsOf(transmittal.envelope, "signatures").filter(isObject);
}

/** Returns the listed files, without the transmittal itself. */
export function filesOf(transmittal: Transmittal): ListedFile[] {
  return rowsOf(transmittal).filter((row) => textOf(row, "sha256") !== SELF).map(readRow);
}

/** Returns the row of the transmittal itself, null where there is none. */
export function selfRowOf(transmittal: Transmittal): ListedFile | null {
  const row = rowsOf(transmittal).find((one) => textOf(one, "sha256") === SELF);
  return row ? readRow(row) : null;
}

function rowsOf(transmittal: Transmittal): JsonObject[] {
  return itemsOf(transmittal.payload, "files").filter(isObject);
}

export function isObject(value: Json | undefined): value is JsonObject {
  return value instanceof Map;
}

/** Returns a text; empty where it is not there, or null. */
export function textOf(fields: JsonObject, name: string): string {
  const value = fields.get(name);
  return typeof value === "string" ? value : "";
}

/** Returns a list; empty where it is not there, or null. */
export function itemsOf(fields: JsonObject, name: string): readonly Json[] {
  const value = fields.get(name);
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}

function readRow(row: JsonObject): ListedFile {
  const size = row.get("fileSize");
  const path = textOf(row, "path").replace(/^\.\//, "").replace(/\/$/, "");
  return {
    trackingNumber: textOf(row, "trackingNumber"),
    revision: textOf(row, "revision"),
    status: textOf(row, "status"),
    title: textOf(row, "title"),
    path: path === "." ? "" : path,
    filename: textOf(row, "filename"),
    sha256: textOf(row, "sha256").toLowerCase(),
    size: typeof size === "number" ? Math.trunc(size) : 0,
  };
}

/**
 * Returns the transmittal in an HTML, or in the JSON of its data.
 *
 * Throws BlockError where there is no data, JsonError where that is no JSON, with the place in `text`, and DataError
 * where it is not that of a transmittal.
 */
export function parseTransmittal(text: string): Transmittal {
  if (/^[ \t\r\n]*\{/.test(text)) return checkData(parseJson(text));
  const [start, end] = findBlock(text);
  try {
    return checkData(parseJson(text.slice(start, end)));
  } catch (error) {
    throw error instanceof JsonError ? shiftError(error, text, start) : error;
  }
}

/** Returns in one sentence why a text holds no transmittal; throws again what is no such reason. */
export function reasonOf(error: unknown): string {
  if (error instanceof JsonError || error instanceof BlockError || error instanceof DataError) return error.message;
  throw error;
}

/** Returns the transmittal of the data; throws DataError that names the wrong part. */
export function checkData(data: Json): Transmittal {
  const whole = requireObject(data, "the data");
  const payload = requireObject(whole.get("payload"), "payload");
  checkPayload(payload);
  const envelope = requireObject(whole.get("envelope") ?? NOTHING, "envelope");
  checkEnvelope(envelope);
  return { payload, envelope, presentation: requireObject(whole.get("presentation") ?? NOTHING, "presentation") };
}

function requireObject(value: Json | undefined, name: string): JsonObject {
  if (!isObject(value)) throw new DataError(`${name} is no object`);
  return value;
}

function checkTexts(fields: JsonObject, names: readonly string[], place: string): void {
  for (const name of names) {
    if (typeof (fields.get(name) ?? "") !== "string") throw new DataError(`${place}.${name} is no text`);
  }
}

function checkVersion(fields: JsonObject, place: string): void {
  if (fields.get("version") !== 1) throw new DataError(`${place}.version is not 1`);
}

function checkPayload(payload: JsonObject): void {
  checkVersion(payload, "payload");
  checkTexts(payload, TEXTS, "payload");
  const places = new Set<string>();
  let selves = 0;
  for (const [place, row] of objectsOf(payload, "files", "payload")) {
    checkTexts(row, FILE_TEXTS, place);
    const size = row.get("fileSize") ?? 0;
    if (typeof size !== "number" || size < 0 || size % 1) throw new DataError(`${place}.fileSize is no whole number`);
    const listed = readRow(row);
    if (listed.sha256 && listed.sha256 !== SELF && !SHA256.test(listed.sha256)) {
      throw new DataError(`${place}.sha256 is no SHA-256`);
    }
    if (OUT_OF_FOLDER.test(listed.path)) throw new DataError(`${place}.path leads out of the folder`);
    if (listed.filename.includes("/") || OUT_OF_FOLDER.test(listed.filename)) {
      throw new DataError(`${place}.filename is no name of a file`);
    }
    selves += Number(listed.sha256 === SELF);
    if (selves > 1) throw new DataError(`${place} is a second row of the transmittal itself`);
    const where = placeOfFile(listed);
    if (where && places.has(where)) throw new DataError(`${place} is a second row of one file`);
    places.add(where);
  }
}

function checkEnvelope(envelope: JsonObject): void {
  checkTexts(envelope, ["digest", "digestAlgorithm", "digestedAt", "signatureAlgorithm"], "envelope");
  const digest = textOf(envelope, "digest");
  const signatures = [...objectsOf(envelope, "signatures", "envelope")];
  if (!digest) {
    if (signatures.length) throw new DataError("signatures without a digest");
    return;
  }
  checkVersion(envelope, "envelope");
  if (textOf(envelope, "digestAlgorithm") !== DIGEST_ALGORITHM) {
    throw new DataError(`envelope.digestAlgorithm is not ${DIGEST_ALGORITHM}`);
  }
  if (!SHA256.test(digest)) throw new DataError("envelope.digest is no SHA-256");
  if (signatures.length && textOf(envelope, "signatureAlgorithm") !== SIGNATURE_ALGORITHM) {
    throw new DataError(`envelope.signatureAlgorithm is not ${SIGNATURE_ALGORITHM}`);
  }
}

/** Yields the objects of a list with their places; nothing where the list is not there, or null. */
function* objectsOf(fields: JsonObject, name: string, place: string): Generator<[string, JsonObject]> {
  const value = fields.get(name) ?? [];
  if (!Array.isArray(value)) throw new DataError(`${place}.${name} is no list`);
  for (const [number, one] of (value as readonly Json[]).entries()) {
    const where = `${place}.${name}[${number}]`;
    yield [where, requireObject(one, where)];
  }
}
