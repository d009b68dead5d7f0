/** The bytes of a text file and what an editor shows of them: nothing that is not typed may change on the way. */

export type LineEnd = "\n" | "\r\n" | "\r";

/** A line end that is not the one that most lines of the file have; `at` counts each line end as one character. */
export interface OddEnd {
  readonly at: number;
  readonly lineEnd: LineEnd;
}

export type Encoding = "UTF-8" | "UTF-16 LE" | "UTF-16 BE" | "Windows-1252" | "binary";

export interface Decoded {
  /** With "\n" at each line end. */
  readonly text: string;
  readonly encoding: Encoding;
  /** Whether the file begins with the mark that some programs write before UTF-8. */
  readonly hasMark: boolean;
  /** Whether the text can be written back: only UTF-8 without NUL can. */
  readonly isEditable: boolean;
  /** The line end of most lines; "\n" where there is none. */
  readonly lineEnd: LineEnd;
  readonly odd: readonly OddEnd[];
}

const MARK = [0xef, 0xbb, 0xbf] as const;

/** Reads the bytes of a file; never throws. */
export function decodeBytes(bytes: Uint8Array): Decoded {
  const hasMark = MARK.every((byte, at) => bytes[at] === byte);
  const { text, encoding } = readText(hasMark ? bytes.subarray(MARK.length) : bytes);
  return { ...splitLineEnds(text), encoding, hasMark, isEditable: encoding === "UTF-8" };
}

function readText(bytes: Uint8Array): { text: string; encoding: Encoding } {
  const decode = (name: string, isFatal: boolean) => new TextDecoder(name, { fatal: isFatal, ignoreBOM: true }).decode(bytes);
  const wide = bytes[0] === 0xff && bytes[1] === 0xfe ? "LE" : bytes[0] === 0xfe && bytes[1] === 0xff ? "BE" : null;
  if (wide) return { text: decode(`utf-16${wide.toLowerCase()}`, false).slice(1), encoding: `UTF-16 ${wide}` };
  let text: string;
  try {
    text = decode("utf-8", true);
  } catch {
    return { text: decode("windows-1252", false), encoding: bytes.includes(0) ? "binary" : "Windows-1252" };
  }
  return { text, encoding: text.includes("\0") ? "binary" : "UTF-8" };
}

function splitLineEnds(written: string): Pick<Decoded, "text" | "lineEnd" | "odd"> {
  if (!written.includes("\r")) return { text: written, lineEnd: "\n", odd: [] };
  const found: OddEnd[] = [];
  const counts: Record<LineEnd, number> = { "\n": 0, "\r\n": 0, "\r": 0 };
  let longer = 0; // characters by which the text as written is longer up to here
  for (const { 0: end, index } of written.matchAll(/\r\n|\r|\n/g)) {
    const lineEnd = end as LineEnd;
    counts[lineEnd] += 1;
    found.push({ at: index - longer, lineEnd });
    longer += lineEnd.length - 1;
  }
  const most = Math.max(...Object.values(counts));
  const lineEnd = (Object.keys(counts) as LineEnd[]).find((one) => counts[one] === most) ?? "\n";
  return {
    text: written.replace(/\r\n?/g, "\n"),
    lineEnd,
    odd: found.filter((one) => one.lineEnd !== lineEnd),
  };
}

/** Returns the bytes of a text; `odd` is in the order of the text. */
export function encodeText(
  text: string,
  { hasMark, lineEnd, odd }: { readonly hasMark: boolean; readonly lineEnd: LineEnd; readonly odd: readonly OddEnd[] },
): Uint8Array<ArrayBuffer> {
  let written = text;
  if (lineEnd !== "\n" || odd.length) {
    const parts: string[] = [];
    let done = 0;
    for (const one of odd) {
      parts.push(text.slice(done, one.at).replaceAll("\n", lineEnd), one.lineEnd);
      done = one.at + 1;
    }
    parts.push(text.slice(done).replaceAll("\n", lineEnd));
    written = parts.join("");
  }
  const bytes = new TextEncoder().encode(written);
  if (!hasMark) return bytes as Uint8Array<ArrayBuffer>;
  const marked = new Uint8Array(MARK.length + bytes.length);
  marked.set(MARK);
  marked.set(bytes, MARK.length);
  return marked;
}

export function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}
