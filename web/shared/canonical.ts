/**
 * JSON that every program reads alike, and its canonical form (RFC 8785): the bytes that are hashed and signed; as
 * src/zddc/canonical.py. `spec/canonical.json` has the cases.
 *
 * The reader refuses what JSON libraries read differently: a key twice, integers beyond 2^53, half a surrogate pair,
 * NaN, a byte order mark, more than 64 levels. An object is a Map, so that no key means anything to JavaScript.
 */

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = ReadonlyMap<string, Json>;

export const MOST_LEVELS = 64;
/** Beyond it, two integers may be one IEEE double. */
export const LARGEST_INTEGER = 2 ** 53;

const BLANK = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
const PLAIN = /[^"\\\x00-\x1f]*/y;
const UNICODE = /[0-9a-fA-F]{4}/y;
const WORDS: readonly (readonly [string, boolean | null])[] = [["true", true], ["false", false], ["null", null]];
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["\\", "\\"],
  ["/", "/"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
]);

/**
 * What is no JSON, or not such as every program reads alike.
 *
 * `line` and `column` count from 1, in characters (code points); both are 0 for what has no place in a text.
 */
export class JsonError extends Error {
  override readonly name = "JsonError";

  constructor(
    readonly reason: string,
    readonly line = 0,
    readonly column = 0,
  ) {
    super(line ? `${reason} (line ${line}, column ${column})` : reason);
  }
}

/** Returns the value of a JSON text, given as UTF-8 where it is bytes; throws JsonError for any other text. */
export function parseJson(text: string | Uint8Array): Json {
  if (typeof text === "string") return new Reader(text).read();
  let decoded: string;
  try {
    decoded = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(text);
  } catch {
    throw new JsonError("not UTF-8");
  }
  return new Reader(decoded).read();
}

/** Returns the number of line breaks before a position of a text, and the characters between the last one and it. */
export function placeOf(text: string, position: number): { lines: number; characters: number } {
  const before = text.slice(0, position);
  const lastLine = before.slice(before.lastIndexOf("\n") + 1);
  return { lines: before.split("\n").length - 1, characters: [...lastLine].length };
}

class Reader {
  private position = 0;

  constructor(private readonly text: string) {}

  read(): Json {
    if (this.text.startsWith("\ufeff")) this.fail("a byte order mark");
    const value = this.value(0);
    this.skip();
    if (this.position < this.text.length) this.fail("more than one value");
    return value;
  }

  private fail(reason: string, position = this.position): never {
    const { lines, characters } = placeOf(this.text, position);
    throw new JsonError(reason, lines + 1, characters + 1);
  }

  /** Passes over what a sticky pattern matches here, and returns the match. */
  private take(pattern: RegExp, position = this.position): RegExpExecArray | null {
    pattern.lastIndex = position;
    const found = pattern.exec(this.text);
    if (found) this.position = pattern.lastIndex;
    return found;
  }

  /** Passes over white space; returns the character behind it, nothing at the end. */
  private skip(): string {
    this.take(BLANK);
    return this.text.charAt(this.position);
  }

  private value(levels: number): Json {
    switch (this.skip()) {
      case "{":
        return this.object(levels + 1);
      case "[":
        return this.array(levels + 1);
      case '"':
        return this.string();
      case "":
        this.fail("the text ends too early");
    }
    for (const [word, value] of WORDS) {
      if (this.text.startsWith(word, this.position)) {
        this.position += word.length;
        return value;
      }
    }
    return this.number();
  }

  private number(): number {
    const start = this.position;
    const found = this.take(NUMBER) ?? this.fail("no JSON value");
    const value = Number(found[0]);
    if (found[1] !== undefined || found[2] !== undefined) {
      if (!Number.isFinite(value)) this.fail("a number that is too large", start);
    } else if (found[0].length > 17 || isBeyond(found[0])) {
      this.fail("an integer beyond 2^53", start);
    }
    return value;
  }

  private string(): string {
    const start = this.position;
    this.position += 1;
    let text = "";
    for (;;) {
      text += this.take(PLAIN)?.[0] ?? "";
      const next = this.text.charAt(this.position);
      if (next === '"') break;
      if (next === "\\") text += this.escape();
      else this.fail(next ? "a control character in a string" : "the text ends too early");
    }
    this.position += 1;
    if (!text.isWellFormed()) this.fail("half a surrogate pair", start);
    return text;
  }

  private escape(): string {
    const letter = this.text.charAt(this.position + 1);
    if (letter === "u") {
      const found = this.take(UNICODE, this.position + 2) ?? this.fail("a backslash that escapes nothing");
      return String.fromCharCode(parseInt(found[0], 16));
    }
    const value = ESCAPES.get(letter) ?? this.fail("a backslash that escapes nothing");
    this.position += 2;
    return value;
  }

  private array(levels: number): Json[] {
    const values: Json[] = [];
    this.many(levels, "]", () => values.push(this.value(levels)));
    return values;
  }

  private object(levels: number): JsonObject {
    const values = new Map<string, Json>();
    this.many(levels, "}", () => {
      if (this.skip() !== '"') this.fail("no key in quotation marks");
      const start = this.position;
      const key = this.string();
      if (values.has(key)) this.fail("a key twice in one object", start);
      if (this.skip() !== ":") this.fail("no ':' after a key");
      this.position += 1;
      values.set(key, this.value(levels));
    });
    return values;
  }

  private many(levels: number, end: string, readOne: () => void): void {
    if (levels > MOST_LEVELS) this.fail(`more than ${MOST_LEVELS} levels`);
    this.position += 1;
    if (this.skip() === end) {
      this.position += 1;
      return;
    }
    for (;;) {
      readOne();
      const found = this.skip();
      if (found !== "," && found !== end) this.fail(found ? `no ',' and no '${end}'` : "the text ends too early");
      this.position += 1;
      if (found === end) return;
    }
  }
}

function isBeyond(digits: string): boolean {
  const value = BigInt(digits);
  return value > LARGEST_INTEGER || value < -LARGEST_INTEGER;
}

/**
 * Returns the canonical form of a value as RFC 8785 has it, in UTF-8; throws JsonError for what the reader would
 * refuse, and for what is no JSON.
 */
export function canonicalBytes(value: Json): Uint8Array<ArrayBuffer> {
  const parts: string[] = [];
  write(value, 0, parts);
  return new TextEncoder().encode(parts.join(""));
}

function write(value: Json, levels: number, parts: string[]): void {
  if (value === null || typeof value === "boolean") parts.push(String(value));
  else if (typeof value === "string") parts.push(quote(value));
  else if (typeof value === "number") parts.push(formatNumber(value));
  else if (levels >= MOST_LEVELS) throw new JsonError(`more than ${MOST_LEVELS} levels`);
  else if (value instanceof Map) {
    // JavaScript compares texts by UTF-16 units, which is what RFC 8785 asks for.
    const keys = [...(value as JsonObject).keys()].sort((one, other) => (one < other ? -1 : 1));
    keys.forEach((key, number) => {
      parts.push(number ? "," : "{", quote(key), ":");
      write((value as JsonObject).get(key)!, levels + 1, parts);
    });
    parts.push(keys.length ? "}" : "{}");
  } else if (Array.isArray(value)) {
    value.forEach((one: Json, number) => {
      parts.push(number ? "," : "[");
      write(one, levels + 1, parts);
    });
    parts.push(value.length ? "]" : "[]");
  } else throw new JsonError(`${typeof value} is no JSON`);
}

function quote(text: string): string {
  if (!text.isWellFormed()) throw new JsonError("half a surrogate pair");
  return JSON.stringify(text);
}

/** Returns a number as ECMAScript writes it: the shortest digits that give the same double. */
function formatNumber(value: number): string {
  if (!Number.isFinite(value)) throw new JsonError("a number that is not finite");
  return String(value);
}

/** Returns a value as JSON that people can read, indented by two blanks. */
export function formatJson(value: Json, indent = ""): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const deeper = `${indent}  `;
  const isList = Array.isArray(value);
  const members = isList
    ? (value as readonly Json[]).map((one) => formatJson(one, deeper))
    : [...(value as JsonObject)].map(([key, one]) => `${JSON.stringify(key)}: ${formatJson(one, deeper)}`);
  const [open, close] = isList ? ["[", "]"] : ["{", "}"];
  return members.length ? `${open}\n${deeper}${members.join(`,\n${deeper}`)}\n${indent}${close}` : open + close;
}
