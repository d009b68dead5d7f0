/**
 * The filter language: an expression becomes a tree of conditions, and the tree is asked about rows; as
 * src/zddc/filters.py, and spec/filters.json holds the columns, the limits, and what each expression matches.
 *
 *     spec pdf             both, anywhere in the row      ^IFA | ^IFB           either; AND binds tighter than OR
 *     !draft   !(a | b)    not                            ^A   pdf$   ^A$       starts with, ends with, is
 *     el.*spc  [ei]fa      regular expressions            "site layout"         a phrase, taken as it is
 *     status:IFC           in one column                  status:(IFA | !IFB)   a group in one column
 */

import { compilePattern, foldText, type Test } from "./patterns";
import { closestMatch } from "./closeMatches";
import { countCodePoints } from "./pythonText";

/** The columns of a row, by the names that they have in it. */
export type Column =
  | "tracking_number" | "title" | "revision" | "status" | "extension" | "name" | "folder" | "party" | "transmittal"
  | "date";

export type FilterRow = Readonly<Record<Column, string>>;

/** How a column is written in an expression, and what it is called in a row. */
export const COLUMNS: ReadonlyMap<string, Column> = new Map<string, Column>([
  ["tracking", "tracking_number"],
  ["rev", "revision"],
  ["ext", "extension"],
  ["tracking_number", "tracking_number"],
  ["title", "title"],
  ["revision", "revision"],
  ["status", "status"],
  ["extension", "extension"],
  ["name", "name"],
  ["folder", "folder"],
  ["party", "party"],
  ["transmittal", "transmittal"],
  ["date", "date"],
]);
export const LONGEST_EXPRESSION = 1000;
export const LONGEST_PATTERN = 200;
export const DEEPEST_GROUP = 20;

const BLANK = " \\t\\n\\r\\f\\v\\u00a0\\u3000";
const BLANKS = new RegExp(`[${BLANK}]*`, "y");
const PREFIX = /([A-Za-z_]+):/y;
const PHRASE = /"([^"]*)(?:"|$)/y;
const PATTERN = new RegExp(`[^${BLANK}()|]*`, "y");
const SPECIAL = /[.*+?[\]{}\\^$]/;
const ANCHOR_AT_END = /(?<!\\)(?:\\\\)*\$$/;
const HALVES = /\p{Cs}+/u;

/** An expression that cannot be read. The message is a sentence for a person: thing, problem, remedy. */
export class FilterError extends Error {
  override readonly name = "FilterError";

  constructor(
    readonly expression: string,
    /** What is wrong stands in expression.slice(from, to), in UTF-16 units. */
    readonly from: number,
    readonly to: number,
    readonly problem: string,
    readonly remedy: string,
  ) {
    super(hidePassword(`'${shortened(expression.slice(from, to))}': ${problem}; ${remedy}`));
  }

  /** As `from`, in code points, as the specification and Python count. */
  get start(): number {
    return countCodePoints(this.expression.slice(0, this.from));
  }

  get end(): number {
    return countCodePoints(this.expression.slice(0, this.to));
  }
}

function shortened(text: string): string {
  const letters = Array.from(text);
  return letters.length <= 60 ? text : `${letters.slice(0, 59).join("")}…`;
}

function hidePassword(text: string): string {
  return text.replace(/(?<=:\/\/)[^/?#\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"'<>]*@/g, "");
}

/**
 * Says whether a row fulfils something. `folded` is what foldText makes of the row's free text: whoever asks about many
 * rows many times keeps it; without it, it is made.
 */
export type Condition = (row: FilterRow, folded?: string) => boolean;

/** An expression that was read. */
export interface Filter {
  readonly expression: string;
  /** Whether it states nothing, so that every row fulfils it. */
  readonly isEmpty: boolean;
  readonly condition: Condition;
  /** Where nothing but words is asked for: what foldText makes of a row's free text has each of these in it. */
  readonly words: readonly string[] | null;
}

/** What a pattern without a column is sought in: six columns, joined by blanks where they are not empty. */
export function freeText(row: FilterRow): string {
  let text = row.tracking_number;
  if (row.title) text += text ? ` ${row.title}` : row.title;
  if (row.revision) text += text ? ` ${row.revision}` : row.revision;
  if (row.status) text += text ? ` ${row.status}` : row.status;
  if (row.extension) text += text ? ` ${row.extension}` : row.extension;
  if (row.name) text += text ? ` ${row.name}` : row.name;
  return text;
}

/** Returns whether a row fulfils an expression. */
export function matches(filter: Filter, row: FilterRow): boolean {
  return filter.condition(row);
}

/**
 * Returns what an expression states. A blank expression states nothing, so every row fulfils it. Letter case, and how
 * an accent is encoded, never count. A pattern fits as a regular expression, or as it is: "A+C1" is also a revision.
 * Whatever the expression, a row takes time linear in its length. Throws FilterError.
 */
export function parseFilter(expression: string): Filter {
  const letters = countCodePoints(expression);
  if (letters > LONGEST_EXPRESSION) {
    const at = Array.from(expression).slice(0, LONGEST_EXPRESSION).join("").length;
    const problem = `an expression has at most ${LONGEST_EXPRESSION} characters`;
    throw new FilterError(expression, at, expression.length, problem, "leave out this part");
  }
  const halves = HALVES.exec(expression);
  if (halves) {
    const to = halves.index + halves[0].length;
    throw new FilterError(expression, halves.index, to, "not valid Unicode text", "leave it out");
  }
  const parser = new Parser(expression);
  const condition = parser.alternatives(null, 0);
  if (parser.at < expression.length) {
    const remedy = 'leave it out, or put it in quotation marks: ")"';
    throw new FilterError(expression, parser.at, parser.at + 1, "there is no '(' before it", remedy);
  }
  return { expression, isEmpty: condition === everything, condition, words: wordsOf(condition) };
}

/** Reads an expression from left to right; `at` is how far it came. */
class Parser {
  at = 0;

  constructor(private readonly text: string) {}

  /** Reads up to the end of the text or of the group. */
  alternatives(column: Column | null, depth: number): Condition {
    const branches = [this.branch(column, depth)];
    while (this.take("|")) branches.push(this.branch(column, depth));
    if (branches.length === 1) return branches[0] ?? everything;
    return anyOf(branches.filter((branch) => branch !== null));
  }

  /** Reads what stands between two bars; null where nothing does. */
  private branch(column: Column | null, depth: number): Condition | null {
    const parts = [];
    for (;;) {
      this.takeMatch(BLANKS);
      if (this.at >= this.text.length || this.text[this.at] === "|" || this.text[this.at] === ")") break;
      parts.push(this.item(column, depth));
    }
    return parts.length ? allOf(parts) : null;
  }

  /** Reads a term or a group, with what stands before it. */
  private item(column: Column | null, depth: number): Condition {
    let isNegated = this.take("!");
    const start = this.at;
    const prefix = this.takeMatch(PREFIX);
    if (prefix) {
      column = this.column(prefix[1]!, start);
      if (this.take("!")) isNegated = !isNegated;
    }
    const condition = this.take("(") ? this.group(column, depth) : this.term(column);
    return isNegated ? negation(condition) : condition;
  }

  private column(name: string, start: number): Column {
    const column = COLUMNS.get(name.toLowerCase());
    if (column) return column;
    const near = closestMatch(name.toLowerCase(), COLUMNS.keys());
    let remedy = near ? `did you mean ${near}:` : `there are ${[...COLUMNS.keys()].join(", ")}`;
    remedy += `; or put it in quotation marks: "${name}:"`;
    throw new FilterError(this.text, start, start + name.length, "no column has this name", remedy);
  }

  /** Reads a group behind its bracket; the end of the text closes it too. */
  private group(column: Column | null, depth: number): Condition {
    if (depth === DEEPEST_GROUP) {
      const problem = `more than ${DEEPEST_GROUP} groups lie in each other`;
      throw new FilterError(this.text, this.at - 1, this.at, problem, "leave out brackets");
    }
    const condition = this.alternatives(column, depth + 1);
    this.take(")");
    return condition;
  }

  /** Reads a phrase or a pattern, with its anchors. */
  private term(column: Column | null): Condition {
    const atStart = this.take("^");
    const start = this.at;
    const phrase = this.takeMatch(PHRASE);
    let pattern: string;
    let atEnd: boolean;
    if (phrase) {
      pattern = phrase[1]!;
      atEnd = this.take("$");
    } else {
      pattern = this.takeMatch(PATTERN)?.[0] ?? "";
      atEnd = ANCHOR_AT_END.test(pattern);
      if (atEnd) pattern = pattern.slice(0, -1);
      if (pattern === "*") return everything;
    }
    if (!pattern && !(atStart && atEnd)) return everything;
    if (countCodePoints(pattern) > LONGEST_PATTERN) {
      const problem = `a pattern has at most ${LONGEST_PATTERN} characters`;
      throw new FilterError(this.text, start, this.at, problem, "write a shorter one");
    }
    pattern = pattern.normalize("NFC");
    const isLiteral = phrase !== null || !SPECIAL.test(pattern);
    const test = compilePattern(pattern, isLiteral, atStart, atEnd);
    if (!test) {
      const problem = "as a regular expression it is too large";
      throw new FilterError(this.text, start, this.at, problem, "repeat less in it");
    }
    return term(column, test);
  }

  /** Goes past a character, if it is the next. */
  private take(character: string): boolean {
    const isNext = this.text[this.at] === character;
    if (isNext) this.at += 1;
    return isNext;
  }

  /** Goes past what a pattern matches here, if it does. */
  private takeMatch(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found) this.at += found[0].length;
    return found;
  }
}

function term(column: Column | null, test: Test): Condition {
  if (column === "name" || column === "title") return (row) => testText(test, row[column]);
  if (column) {
    // The values of these columns come again and again.
    const known = new Map<string, boolean>();
    return (row) => {
      const text = row[column];
      let answer = known.get(text);
      if (answer === undefined) known.set(text, (answer = testText(test, text)));
      return answer;
    };
  }
  const condition: Condition = (row, folded) => test.quick(folded ?? foldText(freeText(row))) ?? test.full(freeText(row));
  if (test.word !== undefined) words.set(condition, [test.word]);
  return condition;
}

/** The words that a condition asks for, of conditions that ask for nothing else. */
const words = new WeakMap<Condition, readonly string[]>();

function wordsOf(condition: Condition): readonly string[] | null {
  return words.get(condition) ?? null;
}

function testText(test: Test, text: string): boolean {
  return test.quick(foldText(text)) ?? test.full(text);
}

// What says nothing, and what no row fulfils; both are known by their identity.
const everything: Condition = () => true;
const nothing: Condition = () => false;

function allOf(all: readonly Condition[]): Condition {
  const parts = all.filter((part) => part !== everything);
  if (parts.length <= 1) return parts[0] ?? everything;
  const condition: Condition = (row, folded) => {
    for (const part of parts) if (!part(row, folded)) return false;
    return true;
  };
  const wanted = parts.map(wordsOf);
  if (wanted.every((one) => one !== null)) words.set(condition, wanted.flat());
  return condition;
}

function anyOf(parts: readonly Condition[]): Condition {
  if (parts.includes(everything)) return everything;
  if (parts.length <= 1) return parts[0] ?? nothing;
  return (row, folded) => {
    for (const part of parts) if (part(row, folded)) return true;
    return false;
  };
}

/** Returns the opposite of a condition; of one that says nothing, itself. */
function negation(condition: Condition): Condition {
  return condition === everything ? condition : (row, folded) => !condition(row, folded);
}
