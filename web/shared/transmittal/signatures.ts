/**
 * Digests and signatures: SHA-256 of the canonical payload, ECDSA on P-256 over five fields of the envelope; as
 * src/zddc/transmittal/signatures.py.
 *
 * A signature covers neither who gave it nor when, so ours come with an attestation: a second one, over both of these.
 */

import { canonicalBytes, JsonError, type Json, type JsonObject } from "../canonical";
import {
  DIGEST_ALGORITHM,
  isObject,
  SIGNATURE_ALGORITHM,
  signaturesOf,
  stateOf,
  textOf,
  type Transmittal,
} from "./data";
import { fromBase64, sha256Hex, toBase64, type Bytes } from "./encoding";

export const SIGNED_FIELDS = ["digest", "digestAlgorithm", "digestedAt", "signatureAlgorithm", "version"] as const;
export const ATTESTATION = "zddc-attestation-v1";
export const FINGERPRINT_DIGITS = 12;
export const CURVE = { name: "ECDSA", namedCurve: "P-256" } as const;

const ALGORITHM = { name: "ECDSA", hash: "SHA-256" } as const;
const COORDINATE = /^[A-Za-z0-9_-]{43}$/;
// The last letter has four bits that count for nothing: only one way to write a signature is taken.
const SIGNATURE = /^[A-Za-z0-9+/]{85}[AQgw]==$/;

export interface PublicJwk {
  readonly kty: "EC";
  readonly crv: "P-256";
  readonly x: string;
  readonly y: string;
}

/** Not a key of this curve; the message is the reason. */
export class KeyFormatError extends Error {
  override readonly name = "KeyFormatError";
}

/**
 * A signature, judged. `thumbprint` is of the whole key, in hexadecimal; `reason` says why it is not valid.
 *
 * Only where it is `attested`, who (`label`) and when (`signedAt`) are signed too.
 */
export interface Signature {
  readonly valid: boolean;
  readonly reason: string;
  readonly thumbprint: string;
  readonly label: string;
  readonly signedAt: string;
  readonly attested: boolean;
}

/** What the bytes of a transmittal say: whether its `digest` is right, null for a draft; and its signatures. */
export interface Check {
  readonly digest: string;
  readonly intact: boolean | null;
  readonly signatures: readonly Signature[];
}

/** Returns the start of a thumbprint, as people compare it. */
export function fingerprintOf(thumbprint: string): string {
  return thumbprint.slice(0, FINGERPRINT_DIGITS);
}

/** Returns whether signatures can be checked here: a page that came over plain HTTP has no Web Crypto. */
export function canCheck(): boolean {
  return globalThis.crypto?.subtle !== undefined;
}

/** Returns the SHA-256 of the canonical payload in hexadecimal; throws JsonError where it has none. */
export async function payloadDigest(payload: JsonObject): Promise<string> {
  return sha256Hex(canonicalBytes(payload));
}

/** Computes the digest; where it is the one of the envelope, judges each signature on its own. */
export async function checkSignatures(transmittal: Transmittal): Promise<Check> {
  const digest = await payloadDigest(transmittal.payload);
  if (stateOf(transmittal) === "draft") return { digest, intact: null, signatures: [] };
  const intact = textOf(transmittal.envelope, "digest").toLowerCase() === digest;
  const judged = await Promise.all(signaturesOf(transmittal).map((one) => judgeEntry(one, transmittal)));
  if (intact) return { digest, intact, signatures: judged };
  const changed = { valid: false, attested: false, reason: "the payload was changed" };
  return { digest, intact, signatures: judged.map((one) => ({ ...one, ...changed })) };
}

async function judgeEntry(entry: JsonObject, transmittal: Transmittal): Promise<Signature> {
  const label = textOf(entry, "label");
  const signedAt = textOf(entry, "signedAt");
  const told = { valid: false, reason: "", thumbprint: "", label, signedAt, attested: false };
  let key: CryptoKey;
  let thumbprint: string;
  let signed: Bytes;
  try {
    ({ key, thumbprint } = await readPublicKey(entry.get("publicKeyJwk")));
  } catch (error) {
    if (error instanceof KeyFormatError) return { ...told, reason: error.message };
    throw error;
  }
  try {
    signed = signedBytes(transmittal.envelope);
  } catch (error) {
    if (error instanceof JsonError) return { ...told, thumbprint, reason: error.reason };
    throw error;
  }
  if (!(await isSignature(key, entry.get("signature"), signed))) {
    return { ...told, thumbprint, reason: "the signature is not that of this envelope" };
  }
  if (!entry.has("attestation")) return { ...told, thumbprint, valid: true };
  const claims = attestationBytes(textOf(transmittal.envelope, "digest"), label, signedAt, thumbprint);
  if (!(await isSignature(key, entry.get("attestation"), claims))) {
    return { ...told, thumbprint, reason: "who signed or when was changed since" };
  }
  return { ...told, thumbprint, valid: true, attested: true };
}

/** Returns what is signed: the canonical form of five fields of the envelope, as they stand there. */
export function signedBytes(envelope: JsonObject): Bytes {
  const missing = SIGNED_FIELDS.find((name) => !envelope.has(name));
  if (missing) throw new JsonError(`the envelope has no ${missing}`);
  return canonicalBytes(new Map(SIGNED_FIELDS.map((name) => [name, envelope.get(name)!])));
}

/** Returns what an attestation signs. */
export function attestationBytes(digest: string, label: string, signedAt: string, keyThumbprint: string): Bytes {
  return canonicalBytes(
    new Map(Object.entries({ type: ATTESTATION, digest: digest.toLowerCase(), keyThumbprint, label, signedAt })),
  );
}

/** Returns the envelope of a payload, without a signature. */
export async function makeEnvelope(payload: JsonObject, now: Date): Promise<JsonObject> {
  return new Map<string, Json>([
    ["version", 1],
    ["digestAlgorithm", DIGEST_ALGORITHM],
    ["digest", await payloadDigest(payload)],
    ["digestedAt", now.toISOString()],
    ["signatureAlgorithm", SIGNATURE_ALGORITHM],
    ["signatures", []],
  ]);
}

/** A private key for signing and its public half. */
export interface SigningKey {
  readonly privateKey: CryptoKey;
  readonly jwk: PublicJwk;
}

/**
 * Returns the transmittal with one more signature; nothing that is signed already changes.
 *
 * Throws where the digest is not that of the payload: nobody should sign what was changed.
 */
export async function addSignature(
  transmittal: Transmittal,
  key: SigningKey,
  label: string,
  now: Date,
): Promise<Transmittal> {
  if (!(await checkSignatures(transmittal)).intact) throw new Error("the digest is not that of the payload");
  const signedAt = now.toISOString();
  const digest = textOf(transmittal.envelope, "digest");
  const claims = attestationBytes(digest, label, signedAt, await thumbprintOf(key.jwk));
  const { kty, crv, x, y } = key.jwk;
  const entry = new Map<string, Json>([
    ["signature", await sign(key.privateKey, signedBytes(transmittal.envelope))],
    ["signedAt", signedAt],
    ["publicKeyJwk", new Map(Object.entries({ kty, crv, x, y }))],
    ...(label ? [["label", label] as const] : []),
    ["attestation", await sign(key.privateKey, claims)],
  ]);
  const signatures = [...signaturesOf(transmittal), entry];
  return { ...transmittal, envelope: new Map([...transmittal.envelope, ["signatures", signatures]]) };
}

/** Returns the SHA-256, in hexadecimal, of a public key as RFC 7638 writes it down. */
export async function thumbprintOf({ crv, kty, x, y }: PublicJwk): Promise<string> {
  return sha256Hex(canonicalBytes(new Map(Object.entries({ crv, kty, x, y }))));
}

/** Returns a public key and its thumbprint; throws KeyFormatError for any other key. */
export async function readPublicKey(
  value: Json | undefined,
): Promise<{ key: CryptoKey; thumbprint: string; jwk: PublicJwk }> {
  if (!isObject(value)) throw new KeyFormatError("no public key");
  if (value.get("kty") !== "EC" || value.get("crv") !== "P-256") {
    throw new KeyFormatError("a key of another curve than P-256");
  }
  const jwk: PublicJwk = { kty: "EC", crv: "P-256", x: readCoordinate(value.get("x")), y: readCoordinate(value.get("y")) };
  try {
    const key = await crypto.subtle.importKey("jwk", { ...jwk }, CURVE, true, ["verify"]);
    return { key, thumbprint: await thumbprintOf(jwk), jwk };
  } catch {
    throw new KeyFormatError("a key that is no point of the curve");
  }
}

/** Returns a number of a key as a JWK has it; throws KeyFormatError for any other length or form than 32 bytes. */
export function readCoordinate(value: Json | undefined): string {
  if (typeof value === "string" && COORDINATE.test(value)) {
    const padded = `${value.replaceAll("-", "+").replaceAll("_", "/")}=`;
    const bytes = fromBase64(padded);
    // The last letter has two bits that count for nothing: only one way to write a number is taken.
    if (bytes && toBase64(bytes) === padded) return value;
  }
  throw new KeyFormatError("a number of the key is not 32 bytes in base64url");
}

export async function sign(key: CryptoKey, data: Bytes): Promise<string> {
  return toBase64(new Uint8Array(await crypto.subtle.sign(ALGORITHM, key, data)));
}

async function isSignature(key: CryptoKey, value: Json | undefined, data: Bytes): Promise<boolean> {
  const bytes = typeof value === "string" && SIGNATURE.test(value) ? fromBase64(value) : null;
  return bytes !== null && isRawSignature(key, bytes, data);
}

/** Returns whether `signature` (r and s, 32 bytes each) is that of the data under the key. */
export async function isRawSignature(key: CryptoKey, signature: Bytes, data: Bytes): Promise<boolean> {
  return signature.length === 64 && crypto.subtle.verify(ALGORITHM, key, signature, data);
}
