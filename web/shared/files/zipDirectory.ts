/** Reads the directory at the end of a zip file, and leaves out members that no folder should be given. */
import { filesText } from "../text/files";
import { PlaceError } from "./place";

export interface Member {
  path: string;
  isFolder: boolean;
  /** Unpacked, in bytes. */
  size: number;
  packedSize: number;
  method: number;
  crc: number;
  /** In milliseconds since 1970; a zip gives no zone, so it is read as UTC. */
  modified: number;
  /** Of the member's own header in the file. */
  offset: number;
}

export interface Directory {
  members: Member[];
  leftOut: { path: string; reason: string }[];
}

export const STORED = 0;
export const DEFLATED = 8;

const LARGEST_DIRECTORY = 16 * 1024 * 1024;
const MOST_MEMBERS = 100_000;
const LARGEST_RATIO = 200;
const LARGE = 100_000_000;
const ENCRYPTED = 1;
const IS_UTF8 = 0x800;
const LINK = 0xa000;
const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const ENTRY = 0x02014b50;
const MAX_32 = 0xffffffff;
const NEVER = /^\/|\\|^[A-Za-z]:|[\0-\x1f\x7f-\x9f\ud800-\udfff]|(?:^|\/)\.{0,2}(?:\/|$)/u;
const CP437 =
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0";

/** Return the members of a zip; throws PlaceError where it is none. */
export async function readDirectory(zip: Blob): Promise<Directory> {
  const { start, size, shift } = await findDirectory(zip);
  if (size > LARGEST_DIRECTORY) throw new PlaceError("format", filesText.zipTooMany(MOST_MEMBERS));
  const view = await viewOf(zip, start, start + size);
  const members: Member[] = [];
  const leftOut: Directory["leftOut"] = [];
  const seen = new Set<string>();
  let at = 0;
  while (at + 46 <= view.byteLength && view.getUint32(at, true) === ENTRY) {
    if (seen.size >= MOST_MEMBERS) throw new PlaceError("format", filesText.zipTooMany(MOST_MEMBERS));
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const next = at + 46 + nameLength + extraLength + view.getUint16(at + 32, true);
    if (next > view.byteLength) throw new PlaceError("format", filesText.zipNot);
    const flags = view.getUint16(at + 8, true);
    const path = decodeName(new Uint8Array(view.buffer, view.byteOffset + at + 46, nameLength), flags);
    const member: Member = {
      path: path.replace(/\/$/, ""),
      isFolder: path.endsWith("/"),
      method: view.getUint16(at + 10, true),
      modified: dosTime(view.getUint16(at + 14, true), view.getUint16(at + 12, true)),
      crc: view.getUint32(at + 16, true),
      packedSize: view.getUint32(at + 20, true),
      size: view.getUint32(at + 24, true),
      offset: view.getUint32(at + 42, true),
    };
    readExtra64(member, view, at + 46 + nameLength, extraLength);
    member.offset += shift;
    const reason =
      whyLeftOut(member, flags, view.getUint32(at + 38, true) >>> 16) || (seen.has(path) ? filesText.zipTwice : "");
    if (reason) leftOut.push({ path, reason });
    else members.push(member);
    seen.add(path);
    at = next;
  }
  if (at !== view.byteLength) throw new PlaceError("format", filesText.zipNot);
  return { members, leftOut };
}

function whyLeftOut(member: Member, flags: number, mode: number): string {
  if (NEVER.test(member.path)) return filesText.zipRefused;
  if ((mode & 0xf000) === LINK) return filesText.zipLink;
  if (member.isFolder) return "";
  if (flags & ENCRYPTED) return filesText.zipEncrypted;
  if (member.method !== STORED && member.method !== DEFLATED) return filesText.zipMethod(member.method);
  if (member.size > Math.max(LARGE, LARGEST_RATIO * member.packedSize)) return filesText.zipRatio;
  return "";
}

/** Find where the directory starts; `shift` is how many bytes stand before the zip, as in a program that unpacks itself. */
async function findDirectory(zip: Blob): Promise<{ start: number; size: number; shift: number }> {
  const tailStart = Math.max(0, zip.size - 65_557);
  const tail = await viewOf(zip, tailStart, zip.size);
  let end = tail.byteLength - 22;
  while (end >= 0 && !(tail.getUint32(end, true) === END && tail.getUint16(end + 20, true) <= tail.byteLength - end - 22)) {
    end -= 1;
  }
  if (end < 0) throw new PlaceError("format", filesText.zipNot);
  let size = tail.getUint32(end + 12, true);
  let offset = tail.getUint32(end + 16, true);
  let directoryEnd = tailStart + end;
  const locator = end - 20;
  if (locator >= 0 && tail.getUint32(locator, true) === LOCATOR_64) {
    const end64 = Number(tail.getBigUint64(locator + 8, true));
    const record = await viewOf(zip, end64, end64 + 56);
    if (record.byteLength < 56 || record.getUint32(0, true) !== END_64) throw new PlaceError("format", filesText.zipNot);
    size = Number(record.getBigUint64(40, true));
    offset = Number(record.getBigUint64(48, true));
    directoryEnd = end64;
  }
  const start = directoryEnd - size;
  if (start < 0 || start < offset) throw new PlaceError("format", filesText.zipNot);
  return { start, size, shift: start - offset };
}

function readExtra64(member: Member, view: DataView, start: number, length: number): void {
  let at = start;
  while (at + 4 <= start + length) {
    const kind = view.getUint16(at, true);
    const end = Math.min(at + 4 + view.getUint16(at + 2, true), start + length);
    let field = at + 4;
    if (kind === 1) {
      for (const name of ["size", "packedSize", "offset"] as const) {
        if (member[name] === MAX_32 && field + 8 <= end) {
          member[name] = Number(view.getBigUint64(field, true));
          field += 8;
        }
      }
    }
    at = end;
  }
}

function decodeName(bytes: Uint8Array, flags: number): string {
  if (flags & IS_UTF8) return new TextDecoder().decode(bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes); // macOS writes it, and does not say so
  } catch {
    // The code page of the first PCs is meant.
  }
  return Array.from(bytes, (byte) => (byte < 128 ? String.fromCharCode(byte) : CP437[byte - 128])).join("");
}

function dosTime(date: number, time: number): number {
  const month = (date >> 5) & 15;
  const day = date & 31;
  if (!month || !day) return 0;
  return Date.UTC(1980 + (date >> 9), month - 1, day, time >> 11, (time >> 5) & 63, (time & 31) * 2);
}

export async function viewOf(blob: Blob, start: number, end: number): Promise<DataView<ArrayBuffer>> {
  return new DataView(await blob.slice(start, end).arrayBuffer());
}
