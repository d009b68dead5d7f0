/** Says how a file can be shown inside the page, so that nothing in it runs, loads or fills the memory. */

export type Preview =
  | { readonly kind: "pdf" | "image" | "page"; readonly blob: Blob }
  | { readonly kind: "text"; readonly text: string; readonly isCut: boolean }
  | { readonly kind: "table"; readonly text: string; readonly isCut: boolean }
  | { readonly kind: "none" | "tooLarge" | "notText" | "empty" };

/** Of a larger text, only so many bytes are shown. */
export const LARGEST_TEXT = 2_000_000;
const MOST_PIXELS = 64_000_000;
/** Enough for the sizes of any image whose comments are not absurd. */
const HEAD = 512 * 1024;

/** By the extension: the images of which is known how large they are before they are drawn. */
export const IMAGES: ReadonlyMap<string, string> = new Map([
  ["png", "image/png"],
  ["jpg", "image/jpeg"],
  ["jpeg", "image/jpeg"],
  ["gif", "image/gif"],
  ["webp", "image/webp"],
  ["bmp", "image/bmp"],
]);
const PAGES = new Map([
  ["html", "text/html"],
  ["htm", "text/html"],
]);
const TEXTS = new Set(
  "md txt xml json jsonl yaml yml log ini dxf svg ifc step stp gml kml css js ts py tex eml ics vcf sha256 sums".split(" "),
);
const TABLES = new Set(["csv", "tsv"]);

/** Whether a file of this kind can be shown. */
export function hasPreview(extension: string): boolean {
  return extension === "pdf" || IMAGES.has(extension) || PAGES.has(extension) || TEXTS.has(extension) || TABLES.has(extension);
}

/** Return how to show a file; throws what reading it throws. */
export async function previewOf(file: File, extension: string): Promise<Preview> {
  if (!file.size) return { kind: "empty" };
  // The type is set from a fixed list: a browser must never guess that something is a page.
  if (extension === "pdf") return { kind: "pdf", blob: typed(file, "application/pdf") };
  if (extension === "svg") return { kind: "image", blob: typed(file, "image/svg+xml") };
  const page = PAGES.get(extension);
  if (page) return { kind: "page", blob: typed(file, page) };
  const image = IMAGES.get(extension);
  if (image) {
    return (await isTooLarge(file)) ? { kind: "tooLarge" } : { kind: "image", blob: typed(file, image) };
  }
  if (!TEXTS.has(extension) && !TABLES.has(extension)) return { kind: "none" };
  const text = await readStart(file);
  if (text === null) return { kind: "notText" };
  return { kind: TABLES.has(extension) ? "table" : "text", text, isCut: file.size > LARGEST_TEXT };
}

function typed(file: File, type: string): Blob {
  return file.slice(0, file.size, type);
}

/** Return the start of a text; null where it is none. UTF-16 is known by its mark, all else must be UTF-8. */
async function readStart(file: File): Promise<string | null> {
  const bytes = new Uint8Array(await file.slice(0, LARGEST_TEXT).arrayBuffer());
  const mark = bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : "utf-8";
  // The last character may be cut in two: what of it is there is left out.
  const text = new TextDecoder(mark).decode(bytes, { stream: true });
  const odd = text.match(/[\0-\x08\x0e-\x1a\x1c-\x1f]/g)?.length ?? 0;
  return odd > text.length / 100 ? null : text;
}

/** Whether an image would take more memory than a page should ask for, by its first bytes. */
export async function isTooLarge(image: Blob): Promise<boolean> {
  return countPixels(new Uint8Array(await image.slice(0, HEAD).arrayBuffer())) > MOST_PIXELS;
}

/** Return the pixels of an image by its first bytes; 0 where they do not say. */
export function countPixels(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const has = (at: number, text: string) =>
    at + text.length <= bytes.length && [...text].every((letter, n) => bytes[at + n] === letter.charCodeAt(0));
  try {
    if (has(1, "PNG")) return view.getUint32(16) * view.getUint32(20);
    if (has(0, "GIF8")) return view.getUint16(6, true) * view.getUint16(8, true);
    if (has(0, "BM")) return Math.abs(view.getInt32(18, true)) * Math.abs(view.getInt32(22, true));
    if (has(0, "RIFF") && has(8, "WEBP")) return pixelsOfWebp(view, has);
    if (bytes[0] === 0xff && bytes[1] === 0xd8) return pixelsOfJpeg(view);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return 0;
}

function pixelsOfWebp(view: DataView, has: (at: number, text: string) => boolean): number {
  if (has(12, "VP8X")) {
    const side = (at: number) => 1 + view.getUint8(at) + view.getUint8(at + 1) * 256 + view.getUint8(at + 2) * 65_536;
    return side(24) * side(27);
  }
  if (has(12, "VP8L")) {
    const bits = view.getUint32(21, true);
    return ((bits & 0x3fff) + 1) * (((bits >>> 14) & 0x3fff) + 1);
  }
  return (view.getUint16(26, true) & 0x3fff) * (view.getUint16(28, true) & 0x3fff);
}

function pixelsOfJpeg(view: DataView): number {
  let at = 2;
  while (at < view.byteLength) {
    if (view.getUint8(at) !== 0xff) return 0;
    const marker = view.getUint8(at + 1);
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (isFrame) return view.getUint16(at + 5) * view.getUint16(at + 7);
    if (marker === 0xda || marker === 0xd9) return 0;
    at += marker === 0xff || (marker >= 0xd0 && marker <= 0xd7) || marker === 1 ? (marker === 0xff ? 1 : 2) : 2 + view.getUint16(at + 2);
  }
  return 0;
}
