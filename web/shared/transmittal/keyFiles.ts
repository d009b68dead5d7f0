/** Key files: a private key for signing, plain or encrypted with a password; as src/zddc/transmittal/keys.py. */

import { JsonError, parseJson, type Json, type JsonObject } from "../canonical";
import { isObject, textOf } from "./data";
import { fromBase64, toBase64, type Bytes } from "./encoding";
import {
  CURVE,
  fingerprintOf,
  isRawSignature,
  KeyFormatError,
  readCoordinate,
  readPublicKey,
  thumbprintOf,
  type PublicJwk,
  type SigningKey,
} from "./signatures";

export const FORMAT = "zddc-signing-key-v1";
const KDF = "PBKDF2-SHA256";
export const ITERATIONS = 600_000;
/** The number that other programs take, whatever the file says. */
export const COMPATIBLE_ITERATIONS = 100_000;
const FEWEST_ITERATIONS = 1_000;
const MOST_ITERATIONS = 10_000_000;
const SALT_BYTES = 16;
const IV_BYTES = 12;
const LARGEST_FILE = 64 << 10;
const FINGERPRINT = /^[0-9a-f]{12,64}$/;

/** A key file as it was read, not decrypted. `fingerprint` is what it claims; `openKey` checks it. */
export interface KeyFile {
  readonly fields: JsonObject;
  readonly encrypted: boolean;
  readonly fingerprint: string;
}

/** Not a key file, or not its password; the message is the reason. */
export class KeyFileError extends Error {
  override readonly name = "KeyFileError";
}

/** Returns a key file; throws KeyFileError for what is none, and for a form that is not known. */
export function parseKeyFile(content: Uint8Array): KeyFile {
  if (content.length > LARGEST_FILE) throw new KeyFileError(`more than ${LARGEST_FILE >> 10} KiB`);
  let fields: Json;
  try {
    fields = parseJson(content);
  } catch (error) {
    throw error instanceof JsonError ? new KeyFileError(error.message) : error;
  }
  if (!isObject(fields) || fields.get("format") !== FORMAT) throw new KeyFileError(`the format is not ${FORMAT}`);
  const encrypted = fields.get("encrypted");
  if (typeof encrypted !== "boolean") throw new KeyFileError("it does not say whether it is encrypted");
  const fingerprint = textOf(fields, "publicFingerprint").toLowerCase();
  if (!FINGERPRINT.test(fingerprint)) throw new KeyFileError("no publicFingerprint");
  if (encrypted) checkEncryption(fields);
  return { fields, encrypted, fingerprint };
}

function checkEncryption(fields: JsonObject): void {
  if (fields.get("kdf") !== KDF) throw new KeyFileError(`the kdf is not ${KDF}`);
  const iterations = fields.get("iterations");
  const isNumber = typeof iterations === "number" && Number.isInteger(iterations);
  if (!isNumber || iterations < FEWEST_ITERATIONS || iterations > MOST_ITERATIONS) {
    throw new KeyFileError(`the iterations are not between ${FEWEST_ITERATIONS} and ${MOST_ITERATIONS}`);
  }
  if (bytesOf(fields, "salt").length !== SALT_BYTES || bytesOf(fields, "iv").length !== IV_BYTES) {
    throw new KeyFileError(`salt and iv are not of ${SALT_BYTES} and ${IV_BYTES} bytes`);
  }
  bytesOf(fields, "ciphertext");
}

function bytesOf(fields: JsonObject, name: string): Bytes {
  const bytes = fromBase64(textOf(fields, name));
  if (!bytes) throw new KeyFileError(`${name} is no base64`);
  return bytes;
}

/** Returns the key, which nothing can take out of the browser; throws KeyFileError where the password is wrong. */
export async function openKey(file: KeyFile, password = ""): Promise<SigningKey> {
  let jwk: Json | undefined;
  if (file.encrypted) {
    try {
      jwk = parseJson(await decrypt(file.fields, password));
    } catch (error) {
      throw error instanceof JsonError ? new KeyFileError("what it holds is no key") : error;
    }
  } else {
    jwk = file.fields.get("key");
  }
  const key = await readPrivateKey(jwk);
  if (!(await thumbprintOf(key.jwk)).startsWith(file.fingerprint)) {
    throw new KeyFileError("its fingerprint is not that of the key");
  }
  return key;
}

async function readPrivateKey(value: Json | undefined): Promise<SigningKey> {
  let d: string;
  let publicKey: CryptoKey;
  let jwk: PublicJwk;
  try {
    ({ key: publicKey, jwk } = await readPublicKey(value));
    d = readCoordinate(isObject(value) ? value.get("d") : undefined);
  } catch (error) {
    throw error instanceof KeyFormatError ? new KeyFileError(error.message) : error;
  }
  try {
    const privateKey = await crypto.subtle.importKey("jwk", { ...jwk, d }, CURVE, false, ["sign"]);
    const data = new TextEncoder().encode(FORMAT);
    const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, privateKey, data);
    if (await isRawSignature(publicKey, new Uint8Array(signature), data)) return { privateKey, jwk };
  } catch {
    // Told below: some browsers see already on import that the halves are of two keys.
  }
  throw new KeyFileError("its private part is not that of its public part");
}

/** Returns a new key as a JWK that can be written, its private part in `d`. */
export async function generateKey(): Promise<PublicJwk & { readonly d: string }> {
  const pair = await crypto.subtle.generateKey(CURVE, true, ["sign", "verify"]);
  const { x = "", y = "", d = "" } = await crypto.subtle.exportKey("jwk", pair.privateKey);
  return { kty: "EC", crv: "P-256", x, y, d };
}

/** Returns a key file; plain only where the password is null. An empty password is refused. */
export async function writeKey(
  key: PublicJwk & { readonly d: string },
  password: string | null,
  iterations = ITERATIONS,
): Promise<string> {
  if (password === "") throw new KeyFileError("the password is empty");
  const head = { format: FORMAT, publicFingerprint: fingerprintOf(await thumbprintOf(key)) };
  if (password === null) return dump({ ...head, encrypted: false, key });
  const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const secret = new TextEncoder().encode(JSON.stringify(key));
  const aes = await derive(password, salt, iterations, "encrypt");
  const ciphertext = toBase64(new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, aes, secret)));
  const texts = { salt: toBase64(salt), iv: toBase64(iv), ciphertext };
  return dump({ ...head, encrypted: true, kdf: KDF, iterations, ...texts });
}

function dump(fields: object): string {
  return `${JSON.stringify(fields, null, 2)}\n`;
}

async function derive(password: string, salt: Bytes, iterations: number, use: KeyUsage): Promise<CryptoKey> {
  const secret = await crypto.subtle.importKey("raw", new TextEncoder().encode(password), "PBKDF2", false, ["deriveKey"]);
  const way = { name: "PBKDF2", hash: "SHA-256", salt, iterations };
  return crypto.subtle.deriveKey(way, secret, { name: "AES-GCM", length: 256 }, false, [use]);
}

async function decrypt(fields: JsonObject, password: string): Promise<Uint8Array> {
  const iterations = fields.get("iterations") as number;
  const key = await derive(password, bytesOf(fields, "salt"), iterations, "decrypt");
  try {
    const way = { name: "AES-GCM", iv: bytesOf(fields, "iv") };
    return new Uint8Array(await crypto.subtle.decrypt(way, key, bytesOf(fields, "ciphertext")));
  } catch {
    // Which of both it is must not be told, and cannot be.
    throw new KeyFileError("the password is wrong, or the file is damaged");
  }
}
