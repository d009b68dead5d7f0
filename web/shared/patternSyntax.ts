/**
 * Reads the regular expressions of the filter language: those of RE2 that hold neither brackets nor bars nor blanks,
 * which the filter language takes for itself. What RE2 refuses is refused here.
 */

/** What one place of a pattern asks: a letter of a class, so many times, or something about the place itself. */
export type Element =
  | { readonly kind: "letters"; readonly letters: Letters; readonly min: number; readonly max: number }
  | { readonly kind: "start" | "end" | "boundary" | "no boundary" };

/** A set of letters; letter case does not count in it. */
export interface Letters {
  readonly has: (point: number) => boolean;
  /** The folded letter, where the set is that one letter and those that are equal to it; else -1. */
  readonly single: number;
  /** About how many instructions RE2 needs for it. */
  readonly cost: number;
}

export const MANY = -1;
const MOST_REPEATS = 1000;
const LAST_POINT = 0x10ffff;

/** The pattern is no regular expression. */
class SyntaxProblem extends Error {}

const ESCAPES = new Map([["n", 10], ["r", 13], ["t", 9], ["a", 7], ["f", 12], ["v", 11]]);
const PERL = new Map([["d", "0-9"], ["s", "\\t\\n\\f\\r "], ["w", "0-9A-Za-z_"]]);
const POSIX = new Map([
  ["alnum", "0-9A-Za-z"], ["alpha", "A-Za-z"], ["ascii", "\\x00-\\x7f"], ["blank", "\\t "],
  ["cntrl", "\\x00-\\x1f\\x7f"], ["digit", "0-9"], ["graph", "!-~"], ["lower", "a-z"], ["print", " -~"],
  ["punct", "!-\\/:-@[-`{-~"], ["space", "\\t-\\r "], ["upper", "A-Z"], ["word", "0-9A-Za-z_"],
  ["xdigit", "0-9A-Fa-f"],
]);
const CATEGORY = /^(?:C[cfos]|L[lmotu]?|M[cen]?|N[dlo]?|P[cdefios]?|S[ckmo]?|Z[lps]?)$/;
const CATEGORY_COSTS = new Map([
  ["L", 1200], ["Lo", 930], ["M", 560], ["Mn", 580], ["Mc", 310], ["S", 440], ["So", 370], ["P", 330], ["Po", 320],
  ["Lu", 330], ["Ll", 270], ["N", 240], ["No", 150], ["Lm", 140], ["Ps", 130], ["Pe", 120], ["Sm", 120], ["Nd", 90],
]);
/** What "." costs, and all letters that are not in a set. */
const OTHERS = 7;
const SCRIPT = /^[A-Z][A-Za-z_]*$/;

/** Returns the elements of a pattern, or null if it is no regular expression. */
export function readPattern(pattern: string): Element[] | null {
  try {
    return new Reader(pattern).elements();
  } catch (error) {
    if (error instanceof SyntaxProblem) return null;
    throw error;
  }
}

class Reader {
  private readonly text: readonly string[];
  private at = 0;

  constructor(pattern: string) {
    this.text = Array.from(pattern);
  }

  elements(): Element[] {
    const found: Element[] = [];
    let wasRepeated = false;
    while (this.at < this.text.length) {
      const times = this.repetition();
      if (times) {
        const last = found.pop();
        if (!last || wasRepeated) throw new SyntaxProblem();
        found.push(repeat(last, ...times));
        wasRepeated = true;
        continue;
      }
      wasRepeated = false;
      found.push(this.one());
    }
    return found;
  }

  private one(): Element {
    const letter = this.text[this.at]!;
    if (letter === "^") return this.place("start", 1);
    if (letter === "$") return this.place("end", 1);
    if (letter === "\\") {
      const next = this.text[this.at + 1];
      if (next === "b") return this.place("boundary", 2);
      if (next === "B") return this.place("no boundary", 2);
      if (next === "A") return this.place("start", 2);
      if (next === "z") return this.place("end", 2);
    }
    return { kind: "letters", letters: this.letters(), min: 1, max: 1 };
  }

  private place(kind: "start" | "end" | "boundary" | "no boundary", length: number): Element {
    this.at += length;
    return { kind };
  }

  private letters(): Letters {
    const letter = this.text[this.at]!;
    if (letter === ".") {
      this.at += 1;
      return { has: () => true, single: -1, cost: OTHERS };
    }
    if (letter === "[") return this.bracketed();
    const group = this.groupEscape();
    if (group) return fromSets([group], false);
    return singleLetter(this.letterOrEscape());
  }

  /** Goes past a repetition, with a question mark behind it, which asks for the shortest and changes no answer. */
  private repetition(): [number, number] | null {
    const letter = this.text[this.at]!;
    let found: [number, number] | null = null;
    if (letter === "*") found = [0, MANY];
    else if (letter === "+") found = [1, MANY];
    else if (letter === "?") found = [0, 1];
    if (found) this.at += 1;
    else found = letter === "{" ? this.counted() : null;
    if (found && this.text[this.at] === "?") this.at += 1;
    return found;
  }

  /** Goes past "{2}", "{2,}" or "{2,5}"; anything else in such brackets is text. */
  private counted(): [number, number] | null {
    const rest = this.text.slice(this.at, this.at + 24).join("");
    const found = /^\{(0|[1-9][0-9]{0,8})(?:(,)(0|[1-9][0-9]{0,8})?)?\}/.exec(rest);
    if (!found) return null;
    this.at += found[0].length;
    const min = Number(found[1]);
    const max = found[3] !== undefined ? Number(found[3]) : found[2] ? MANY : min;
    if (min > MOST_REPEATS || max > MOST_REPEATS || (max !== MANY && max < min)) throw new SyntaxProblem();
    return [min, max];
  }

  private bracketed(): Letters {
    this.at += 1;
    const isNegated = this.text[this.at] === "^";
    if (isNegated) this.at += 1;
    const sets: LetterSet[] = [];
    const ranges: [number, number][] = [];
    for (let isFirst = true; this.text[this.at] !== "]" || isFirst; isFirst = false) {
      if (this.at >= this.text.length) throw new SyntaxProblem();
      const group = this.posix() ?? this.groupEscape();
      if (group) sets.push(group);
      else ranges.push(this.range());
    }
    this.at += 1;
    if (ranges.length) sets.push(fromRanges(ranges));
    return fromSets(sets, isNegated);
  }

  private range(): [number, number] {
    const low = this.letterOrEscape();
    if (this.text[this.at] !== "-" || this.at + 1 >= this.text.length || this.text[this.at + 1] === "]") return [low, low];
    this.at += 1;
    const high = this.letterOrEscape();
    if (high < low) throw new SyntaxProblem();
    return [low, high];
  }

  /** Goes past a class such as "[:alpha:]", which only stands in brackets. */
  private posix(): LetterSet | null {
    if (this.text[this.at] !== "[" || this.text[this.at + 1] !== ":") return null;
    const rest = this.text.slice(this.at + 2).join("");
    const end = rest.indexOf(":]");
    if (end < 0) return null;
    const isNegated = rest[0] === "^";
    const letters = POSIX.get(rest.slice(isNegated ? 1 : 0, end));
    if (!letters) throw new SyntaxProblem();
    this.at += 2 + Array.from(rest.slice(0, end)).length + 2;
    return set(letters, isNegated, 0);
  }

  /** Goes past "\d", "\pL" or "\p{Greek}". */
  private groupEscape(): LetterSet | null {
    if (this.text[this.at] !== "\\") return null;
    const letter = this.text[this.at + 1] ?? "";
    const perl = PERL.get(letter.toLowerCase());
    if (perl) {
      this.at += 2;
      return set(perl, letter !== letter.toLowerCase(), 0);
    }
    return letter === "p" || letter === "P" ? this.property(letter === "P") : null;
  }

  private property(isNegated: boolean): LetterSet {
    this.at += 2;
    let name = this.text[this.at] ?? "";
    this.at += 1;
    if (name === "{") {
      const end = this.text.indexOf("}", this.at);
      if (end < 0) throw new SyntaxProblem();
      name = this.text.slice(this.at, end).join("");
      this.at = end + 1;
    }
    if (name.startsWith("^")) [name, isNegated] = [name.slice(1), !isNegated];
    if (name === "Any") return set("\\0-\\u{10ffff}", isNegated, OTHERS - 1);
    // RE2 has no letters that are not assigned yet.
    if (name === "C") return set("\\p{Cc}\\p{Cf}\\p{Co}\\p{Cs}", isNegated, 74);
    if (CATEGORY.test(name)) return set(`\\p{${name}}`, isNegated, CATEGORY_COSTS.get(name) ?? 50);
    if (name.length < 3 || !SCRIPT.test(name)) throw new SyntaxProblem();
    try {
      return set(`\\p{Script=${name}}`, isNegated, 60);
    } catch {
      throw new SyntaxProblem();
    }
  }

  private letterOrEscape(): number {
    const letter = this.text[this.at];
    if (letter === undefined) throw new SyntaxProblem();
    this.at += 1;
    return letter === "\\" ? this.escape() : letter.codePointAt(0)!;
  }

  private escape(): number {
    const letter = this.text[this.at];
    if (letter === undefined) throw new SyntaxProblem();
    this.at += 1;
    const point = letter.codePointAt(0)!;
    if (/[0-7]/.test(letter)) return this.octal(letter);
    if (letter === "x") return this.hexadecimal();
    const known = ESCAPES.get(letter);
    if (known !== undefined) return known;
    if (point >= 0x80 || /[0-9A-Za-z]/.test(letter)) throw new SyntaxProblem();
    return point;
  }

  /** Up to three digits; one digit that is not 0 would be what a group held, which RE2 has not. */
  private octal(first: string): number {
    let digits = first;
    while (digits.length < 3 && /^[0-7]$/.test(this.text[this.at] ?? "")) {
      digits += this.text[this.at];
      this.at += 1;
    }
    if (first !== "0" && digits.length < 2) throw new SyntaxProblem();
    return parseInt(digits, 8);
  }

  private hexadecimal(): number {
    const rest = this.text.slice(this.at).join("");
    const found = /^(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2}))/.exec(rest);
    const point = found ? parseInt(found[1] ?? found[2]!, 16) : Infinity;
    if (!found || point > LAST_POINT) throw new SyntaxProblem();
    this.at += found[0].length;
    return point;
  }
}

/** An element, so many times. Whoever asks about the place itself more often asks the same, or nothing. */
function repeat(element: Element, min: number, max: number): Element {
  if (element.kind === "letters") return { ...element, min, max };
  return min ? element : { kind: "letters", letters: NONE, min: 0, max: 0 };
}

interface LetterSet {
  readonly has: (letter: string) => boolean;
  readonly cost: number;
}

/**
 * A set from the inside of a class in JavaScript's syntax, whose flag i folds one letter to one letter, as RE2 does.
 * `cost` is that of its letters beyond ASCII.
 */
function set(letters: string, isNegated: boolean, cost: number): LetterSet {
  const expression = new RegExp(`[${letters}]`, "iu");
  let whole = cost + (isNegated ? OTHERS : 0);
  // The letters beyond ASCII that are equal to k and s; without them, what is around them falls apart.
  if (expression.test("k")) whole += isNegated ? 8 : 3;
  if (expression.test("s")) whole += isNegated ? 5 : 2;
  let wasIn = false;
  for (let point = 0; point < 0x80; point += 1) {
    if (point >= 0x41 && point <= 0x5a) continue;
    const isIn = expression.test(String.fromCharCode(point));
    if (isIn && !wasIn) whole += 1;
    wasIn = isIn;
  }
  return { has: (letter) => expression.test(letter) !== isNegated, cost: whole };
}

function fromRanges(ranges: readonly (readonly [number, number])[]): LetterSet {
  const write = (point: number): string => `\\u{${point.toString(16)}}`;
  return set(ranges.map(([low, high]) => `${write(low)}-${write(high)}`).join(""), false, ranges.reduce((sum, [, high]) => sum + (high < 0x80 ? 0 : 3), 0));
}

function fromSets(sets: readonly LetterSet[], isNegated: boolean): Letters {
  const hasEqualsBeyond = sets.some((one) => one.has("k") || one.has("s"));
  return {
    has: (point) => {
      const letter = String.fromCodePoint(point);
      return sets.some((one) => one.has(letter)) !== isNegated;
    },
    single: -1,
    cost: sets.reduce((sum, one) => sum + one.cost, isNegated ? OTHERS + 1 + (hasEqualsBeyond ? 10 : 0) : 0),
  };
}

const NONE: Letters = { has: () => false, single: -1, cost: 1 };

function singleLetter(point: number): Letters {
  const folded = foldPoint(point);
  return { has: (other) => foldPoint(other) === folded, single: folded, cost: folded === 0x6b ? 4 : folded === 0x73 || point >= 0x80 ? 3 : 1 };
}

const foldedPoints = new Map<number, number>();

/** Returns one letter for all letters that differ in case only: simple folding, one letter for one letter. */
export function foldPoint(point: number): number {
  if (point < 0x80) return point >= 0x41 && point <= 0x5a ? point + 32 : point;
  const known = foldedPoints.get(point);
  if (known !== undefined) return known;
  const folded = point === 0x131 ? point : lower(upper(lower(point)));
  foldedPoints.set(point, folded);
  return folded;
}

function lower(point: number): number {
  return onePoint(String.fromCodePoint(point).toLowerCase(), point);
}

function upper(point: number): number {
  return onePoint(String.fromCodePoint(point).toUpperCase(), point);
}

/** A letter that becomes several has no other case here. */
function onePoint(text: string, instead: number): number {
  const point = text.codePointAt(0)!;
  return text.length === (point > 0xffff ? 2 : 1) ? point : instead;
}
