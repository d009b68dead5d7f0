/**
 * Texts as the Python side treats them, where JavaScript differs: blanks, order, case folding, and how a text is quoted.
 */

/** What str.isspace() takes for white space. JavaScript's \s also has U+FEFF, and has neither U+001C to U+001F nor U+0085. */
const BLANK = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
export const BLANK_CLASS = `[${BLANK}]`;
const ANY_BLANK = new RegExp(BLANK_CLASS);
const LEADING = new RegExp(`^${BLANK_CLASS}+`);
const ONE = new RegExp(BLANK_CLASS);
const HALF = /[\ud800-\udfff]/;

export function hasBlank(text: string): boolean {
  return ANY_BLANK.test(text);
}

export function trimStart(text: string): string {
  return text.replace(LEADING, "");
}

/** Goes back from the end: an expression for blanks at the end would look again from each blank on. */
export function trimEnd(text: string): string {
  let end = text.length;
  while (end && ONE.test(text[end - 1]!)) end -= 1;
  return text.slice(0, end);
}

export function trim(text: string): string {
  return trimStart(trimEnd(text));
}

/** Orders texts by code point; JavaScript's < orders by UTF-16 unit, which differs from U+E000 on. */
export function compareCodePoints(one: string, other: string): -1 | 0 | 1 {
  if (one === other) return 0;
  const length = Math.min(one.length, other.length);
  for (let at = 0; at < length; at += 1) {
    const a = one.charCodeAt(at);
    const b = other.charCodeAt(at);
    if (a === b) continue;
    return rank(one, at, a) < rank(other, at, b) ? -1 : 1;
  }
  return one.length < other.length ? -1 : 1;
}

/** A half of a pair stands above every other unit; a half that stands alone has its place among the other units. */
function rank(text: string, at: number, unit: number): number {
  const isPaired =
    unit >= 0xd800 && unit <= 0xdbff
      ? isLow(text.charCodeAt(at + 1))
      : isLow(unit) && at > 0 && isHigh(text.charCodeAt(at - 1));
  return isPaired ? unit + 0x10000 : unit;
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

/** Returns a sorted copy, in code point order. */
export function sortByCodePoints(texts: Iterable<string>): string[] {
  const all = [...texts];
  // Without pairs both orders are the same, and the browser's own is several times as fast.
  return all.some((text) => HALF.test(text)) ? all.sort(compareCodePoints) : all.sort();
}

/**
 * Returns what str.casefold() returns: full case folding.
 *
 * Made of upper and lower case, letter by letter, which agrees with Unicode's table for all letters but the dotless i
 * and those of Cherokee.
 */
export function caseFold(text: string): string {
  if (/^[\x00-\x7f]*$/.test(text)) return text.toLowerCase();
  let folded = "";
  for (const letter of text) {
    let known = foldedLetters.get(letter);
    if (known === undefined) foldedLetters.set(letter, (known = foldLetter(letter)));
    folded += known;
  }
  return folded;
}

const foldedLetters = new Map<string, string>();

function foldLetter(letter: string): string {
  const point = letter.codePointAt(0)!;
  if (point === 0x131 || (point >= 0x13a0 && point <= 0x13f5)) return letter;
  if (point >= 0x13f8 && point <= 0x13fd) return String.fromCodePoint(point - 8);
  if (point >= 0xab70 && point <= 0xabbf) return String.fromCodePoint(point - 0xab70 + 0x13a0);
  return lowerEach(lowerEach(letter).toUpperCase());
}

/** Lower case without regard to what is beside a letter: a sigma at the end of a word is no other letter. */
function lowerEach(text: string): string {
  return Array.from(text, (letter) => letter.toLowerCase()).join("");
}

const NOT_PRINTABLE = /[\p{C}\p{Z}]/u;
const SHORT_ESCAPES = new Map([["\t", "\\t"], ["\n", "\\n"], ["\r", "\\r"], ["\\", "\\\\"]]);

/** Returns a text quoted as repr() quotes it. */
export function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escape = (letter: string): string => {
    const short = SHORT_ESCAPES.get(letter);
    if (short !== undefined) return short;
    if (letter === quote) return `\\${letter}`;
    if (letter === " " || !NOT_PRINTABLE.test(letter)) return letter;
    const point = letter.codePointAt(0)!;
    if (point <= 0xff) return `\\x${point.toString(16).padStart(2, "0")}`;
    if (point <= 0xffff) return `\\u${point.toString(16).padStart(4, "0")}`;
    return `\\U${point.toString(16).padStart(8, "0")}`;
  };
  return quote + Array.from(text, escape).join("") + quote;
}

/** Returns how many code points a text has. */
export function countCodePoints(text: string): number {
  let count = text.length;
  for (let at = 0; at < text.length - 1; at += 1) {
    if (isHigh(text.charCodeAt(at)) && isLow(text.charCodeAt(at + 1))) {
      count -= 1;
      at += 1;
    }
  }
  return count;
}
