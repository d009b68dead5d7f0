/** The keys that somebody has compared with their owner; as src/zddc/transmittal/known_keys.py. */

import { JsonError, parseJson, type Json } from "../canonical";
import { isCalendarDate } from "../naming";
import { compareCodePoints } from "../pythonText";
import { isObject, textOf } from "./data";
import type { Signature } from "./signatures";

export const FORMAT = "zddc-known-keys-v1";
const THUMBPRINT = /^[0-9a-f]{64}$/;
const FIELDS: readonly string[] = ["thumbprint", "name", "since", "until"];

/** A key by its whole thumbprint, whose it is, and the days from which and up to which it is good (empty: any). */
export interface KnownKey {
  readonly thumbprint: string;
  readonly name: string;
  readonly since: string;
  readonly until: string;
}

export type Verdict = "valid, known key" | "valid, unknown key" | "invalid";

/** The verdict on a signature; `name` is whose key it is, and `reason` why a verdict is not better. */
export interface Judgement {
  readonly verdict: Verdict;
  readonly signature: Signature;
  readonly name: string;
  readonly reason: string;
}

/** Not a file of known keys; the message is the reason. */
export class KnownKeysError extends Error {
  override readonly name = "KnownKeysError";
}

/** Returns the keys of a file; throws KnownKeysError for what is none. */
export function parseKnownKeys(content: string | Uint8Array): KnownKey[] {
  let whole: Json;
  try {
    whole = parseJson(content);
  } catch (error) {
    throw error instanceof JsonError ? new KnownKeysError(error.message) : error;
  }
  if (!isObject(whole) || whole.get("format") !== FORMAT) throw new KnownKeysError(`the format is not ${FORMAT}`);
  const rows = whole.get("keys");
  if (!Array.isArray(rows)) throw new KnownKeysError("keys is no list");
  const keys = (rows as readonly Json[]).map((one, number) => readKey(one, `keys[${number}]`));
  if (new Set(keys.map((key) => key.thumbprint)).size < keys.length) throw new KnownKeysError("a key is there twice");
  return keys;
}

function readKey(value: Json, place: string): KnownKey {
  if (!isObject(value)) throw new KnownKeysError(`${place} is no object`);
  const unknown = [...value.keys()].filter((key) => !FIELDS.includes(key)).sort(compareCodePoints);
  if (unknown.length) throw new KnownKeysError(`${place} has the unknown key '${unknown[0]}'`);
  const [thumbprint = "", name = "", since = "", until = ""] = FIELDS.map((field) => textOf(value, field));
  if (!THUMBPRINT.test(thumbprint) || !name) {
    throw new KnownKeysError(`${place} has no thumbprint of 64 digits, or no name`);
  }
  for (const day of [since, until]) {
    if (day && !isCalendarDate(day)) throw new KnownKeysError(`${place}: ${day} is not a date written as YYYY-MM-DD`);
  }
  return { thumbprint, name, since, until };
}

/** Returns the file of these keys. */
export function formatKnownKeys(keys: readonly KnownKey[]): string {
  const rows = keys.map(({ thumbprint, name, since, until }) => ({
    thumbprint,
    name,
    ...(since ? { since } : {}),
    ...(until ? { until } : {}),
  }));
  return `${JSON.stringify({ format: FORMAT, keys: rows }, null, 2)}\n`;
}

/**
 * Returns the verdict on a signature; a key is known on the days for which it is good.
 *
 * The day is when it was signed where that is attested, else that of the digest, which is signed always.
 */
export function judge(signature: Signature, keys: readonly KnownKey[], digestedAt: string): Judgement {
  if (!signature.valid) return { verdict: "invalid", signature, name: "", reason: signature.reason };
  const key = keys.find((one) => one.thumbprint === signature.thumbprint);
  if (!key) {
    return { verdict: "valid, unknown key", signature, name: "", reason: "compare the fingerprint with the sender" };
  }
  const day = (signature.attested ? signature.signedAt : digestedAt).slice(0, 10);
  if (isCalendarDate(day) && (key.since || day) <= day && day <= (key.until || day)) {
    return { verdict: "valid, known key", signature, name: key.name, reason: "" };
  }
  return { verdict: "valid, unknown key", signature, name: "", reason: `the key of ${key.name} is not good on that day` };
}
