/**
 * Markdown of remarks, read into elements: what a letter has. HTML in it is text, pictures are links to them.
 *
 * What it reads it reads as markdown-it does; a test compares the two. Any text is read in a time that goes with its
 * length: what came in a transmittal may be written by anybody.
 */

export type Inside = readonly (Piece | string)[];

/** An element; only the `a` of an address that may be followed has an `href`. */
export interface Piece {
  readonly tag: string;
  readonly inside: Inside;
  readonly href?: string;
  /** The first number of a list. */
  readonly start?: number;
}

type References = ReadonlyMap<string, string>;

const DEEPEST = 20;
/** Begins a line that only goes on with a paragraph, whatever it looks like: it stands without the marks of that. */
const LAZY = "\0";
/** What the address of a link may have in length. */
const LONGEST = 2_000;
/** A table whose rows lack more cells than this ends there: few letters must not make a page of empty cells. */
const MOST_CELLS_ADDED = 0x1_0000;

const piece = (tag: string, inside: Inside): Piece => ({ tag, inside });

/** Returns the elements of a text with "\n" as line ends; never throws. */
export function readMarkdown(text: string): Inside {
  const references = new Map<string, string>();
  const end = text.indexOf("\n", text.trimEnd().length);
  const lines = text.slice(0, end < 0 ? undefined : end).replaceAll(LAZY, "\ufffd").split("\n");
  const { blocks } = readBlocks(lines, references, 0);
  return blocks.map((one) => one.make(references));
}

// Blocks: lines are read once, and inline text when every reference is known.

interface Block {
  make(references: References, isTight?: boolean): Piece | string;
  readonly isParagraph?: boolean;
}

const FENCE = /^ {0,3}(`{3,}(?=[^`]*$)|~{3,})/;
const HEADING = /^ {0,3}(#{1,6})(?![^ \t])(.*)$/;
const RULE = /^ {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})([-+*]|\d{1,9}[.)])( +|$)/;
const CODE = /^ {4}/;
const REFERENCE = /^ {0,3}\[((?:[^[\]\\]|\\.)+)\]:[ \t]*(?:<([^<>]*)>|(\S+))(?:[ \t]+(?:"[^"]*"|'[^']*'|\([^()]*\)))?[ \t]*$/;
const DELIMITERS = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*(?:\|[ \t]*)?$/;

/** Tabs at the start, and behind the marks of quotes and items, as the columns that they reach to. */
function expandTabs(line: string): string {
  if (!line.includes("\t")) return line;
  const mark = /(?:[-+*>]|\d{1,9}[.)])(?=[ \t])/y;
  let read = "";
  for (let at = 0; ; ) {
    for (; line[at] === " " || line[at] === "\t"; at += 1) read += line[at] === " " ? " " : " ".repeat(4 - (read.length % 4));
    mark.lastIndex = at;
    const found = mark.exec(line)?.[0] ?? "";
    if (!found) return read + line.slice(at);
    read += found;
    at += found.length;
  }
}

/** A text without those of some letters that it ends with. */
function cutEnd(text: string, letters: string): string {
  let end = text.length;
  while (end > 0 && letters.includes(text[end - 1]!)) end -= 1;
  return text.slice(0, end);
}

const isBlank = (line: string | undefined) => line === undefined || !/\S/.test(line);

/** Whether a line begins another block than the paragraph before it. */
function interrupts(line: string): boolean {
  if (FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line)) return true;
  const item = ITEM.exec(line);
  return item !== null && line.length > item[0].length && (!/^\d/.test(item[2]!) || /^1[.)]/.test(item[2]!));
}

/** Reads lines; `isLoose` says whether a blank line stands between two of their blocks. */
function readBlocks(lines: readonly string[], references: Map<string, string>, depth: number): { blocks: Block[]; isLoose: boolean } {
  const blocks: Block[] = [];
  let isLoose = false;
  let hadBlank = false;
  const add = (block: Block) => {
    isLoose ||= hadBlank && blocks.length > 0;
    hadBlank = false;
    blocks.push(block);
  };
  for (let at = 0; at < lines.length; ) {
    const line = expandTabs(lines[at]!);
    if (isBlank(line)) {
      hadBlank = true;
      at += 1;
      continue;
    }
    if (CODE.test(line)) {
      const code: string[] = [];
      for (; at < lines.length; at += 1) {
        const next = expandTabs(lines[at]!);
        if (!CODE.test(next) && !isBlank(next)) break;
        code.push(next.slice(4));
      }
      const ends = code.findLastIndex((one) => !isBlank(one)) + 1;
      const content = code.slice(0, ends).map((one) => `${one}\n`).join("");
      const followed = ends < code.length;
      add({ make: () => piece("pre", [piece("code", [content])]) });
      hadBlank = followed;
      continue;
    }
    const fence = FENCE.exec(line);
    if (fence) {
      const close = new RegExp(`^ {0,3}\\${fence[1]![0]}{${fence[1]!.length},}[ \\t]*$`);
      const indent = new RegExp(`^ {0,${fence[0].length - fence[1]!.length}}`);
      const code: string[] = [];
      for (at += 1; at < lines.length && !close.test(lines[at]!); at += 1) code.push(`${expandTabs(lines[at]!).replace(indent, "")}\n`);
      at += 1;
      add({ make: () => piece("pre", [piece("code", [code.join("")])]) });
      continue;
    }
    const heading = HEADING.exec(line);
    if (heading) {
      const [, marks = "", rest = ""] = heading;
      const words = cutEnd(rest, " \t").replace(/[ \t]#+$/, "").trim();
      add({ make: (known) => piece(`h${marks.length}`, readInline(words, known)) });
      at += 1;
      continue;
    }
    if (RULE.test(line)) {
      add({ make: () => piece("hr", []) });
      at += 1;
      continue;
    }
    if (QUOTE.test(line) && depth < DEEPEST) {
      const inner = new InnerLines();
      for (; at < lines.length; at += 1) {
        const next = expandTabs(lines[at]!);
        if (QUOTE.test(next)) inner.add(next.replace(QUOTE, ""));
        else if (!inner.takes(next)) break;
      }
      const { blocks: quoted } = readBlocks(inner.lines, references, depth + 1);
      add({ make: (known) => piece("blockquote", quoted.map((one) => one.make(known))) });
      continue;
    }
    if (ITEM.test(line) && depth < DEEPEST) {
      const list = readList(lines, at, references, depth);
      add(list);
      hadBlank = list.endsBlank;
      at = list.end;
      continue;
    }
    const table = readTable(lines, at);
    if (table) {
      add(table);
      at = table.end;
      continue;
    }
    const words: string[] = [];
    let level = 0;
    for (; at < lines.length; at += 1) {
      const next = expandTabs(lines[at]!);
      if (isBlank(next)) break;
      if (words.length) {
        level = /^ {0,3}=+[ \t]*$/.test(next) ? 1 : /^ {0,3}-+[ \t]*$/.test(next) ? 2 : 0;
        if (level || (interrupts(next) && !CODE.test(next)) || readTable(lines, at)) break;
      } else {
        const found = REFERENCE.exec(next);
        if (found) {
          const name = nameOf(found[1]!);
          if (!references.has(name)) references.set(name, found[2] ?? found[3]!);
          continue;
        }
      }
      words.push(next.startsWith(LAZY) ? next.slice(1) : next.trimStart());
    }
    if (level) at += 1;
    if (!words.length) continue;
    const whole = words.join("\n").trimEnd();
    if (level) add({ make: (known) => piece(`h${level}`, readInline(whole, known)) });
    else add({ isParagraph: true, make: (known) => piece("p", readInline(whole, known)) });
  }
  return { blocks, isLoose };
}

/** The lines of a quote or an item. A line without their mark belongs to them if a paragraph goes on with it. */
class InnerLines {
  readonly lines: string[] = [];
  #isFenced = false;
  #last = "";

  add(line: string): void {
    this.lines.push(line);
    this.#last = line.replace(/^(?: {0,3}(?:>|[-+*]|\d{1,9}[.)])(?: |$))+/, "");
    if (FENCE.test(this.#last)) this.#isFenced = !this.#isFenced;
  }

  /** Adds a line that goes on with a paragraph; returns whether it does. */
  takes(line: string): boolean {
    if (this.#isFenced || isBlank(line) || isBlank(this.#last) || interrupts(line) || ITEM.test(line)) return false;
    if ([CODE, HEADING, RULE, FENCE].some((other) => other.test(this.#last))) return false;
    this.lines.push(line.startsWith(LAZY) ? line : LAZY + line.trimStart());
    this.#last = line.trimStart();
    return true;
  }
}

function readList(lines: readonly string[], from: number, references: Map<string, string>, depth: number): Block & { end: number; endsBlank: boolean } {
  const first = ITEM.exec(expandTabs(lines[from]!))!;
  const kind = first[2]!.at(-1)!;
  const items: Block[][] = [];
  let isLoose = false;
  let at = from;
  let endsBlank = false;
  while (at < lines.length) {
    const line = expandTabs(lines[at]!);
    const found = ITEM.exec(line);
    if (!found || found[2]!.at(-1) !== kind || RULE.test(line)) break;
    isLoose ||= endsBlank;
    const [whole, indent = "", mark = "", blanks = ""] = found;
    // Five blanks or more belong to code in the item; none to an item that begins empty.
    const width = indent.length + mark.length + (blanks.length > 4 || whole.length === line.length ? 1 : blanks.length);
    const inner = new InnerLines();
    inner.add(line.slice(width));
    endsBlank = false;
    for (at += 1; at < lines.length; at += 1) {
      const next = expandTabs(lines[at]!);
      if (isBlank(next)) {
        // An item that begins with two blank lines is empty.
        if (inner.lines.length === 1 && isBlank(inner.lines[0])) {
          endsBlank = true;
          at += 1;
          break;
        }
        endsBlank = true;
        inner.add("");
      } else if (next.search(/\S/) >= width) {
        endsBlank = false;
        inner.add(next.slice(width));
      } else if (endsBlank || !inner.takes(next)) break;
    }
    while (at < lines.length && isBlank(lines[at])) at += 1;
    const read = readBlocks(inner.lines, references, depth + 1);
    isLoose ||= read.isLoose;
    items.push(read.blocks);
  }
  const start = Number.parseInt(first[2]!, 10);
  const make = (known: References): Piece => {
    const made = items.map((blocks) => {
      const inside = blocks.flatMap((one) => {
        const block = one.make(known);
        return one.isParagraph && !isLoose && typeof block !== "string" ? [...block.inside] : [block];
      });
      return piece("li", inside);
    });
    return Number.isNaN(start) ? piece("ul", made) : { ...piece("ol", made), ...(start !== 1 && { start }) };
  };
  return { make, end: at, endsBlank };
}

function readTable(lines: readonly string[], from: number): (Block & { end: number }) | null {
  const [head, rule] = [lines[from]!, lines[from + 1] ?? ""];
  if (!head.includes("|") || head.startsWith(LAZY) || rule.trim().length < 2 || !DELIMITERS.test(rule) || /^ {0,3}-[ \t]/.test(rule) || CODE.test(expandTabs(head))) return null;
  const heads = splitRow(head);
  const count = splitRow(rule).length;
  if (heads.length !== count) return null;
  const rows: string[][] = [];
  let added = 0;
  let at = from + 2;
  for (; at < lines.length; at += 1) {
    const line = expandTabs(lines[at]!);
    if (isBlank(line) || line.startsWith(LAZY) || CODE.test(line) || interrupts(line) || ITEM.test(line)) break;
    const cells = splitRow(line);
    added += Math.max(0, count - cells.length);
    if (added > MOST_CELLS_ADDED) break;
    rows.push(cells);
  }
  const row = (tag: string, cells: readonly string[], known: References) =>
    piece("tr", heads.map((_, n) => piece(tag, readInline(cells[n] ?? "", known))));
  const make = (known: References) =>
    piece("table", [
      piece("thead", [row("th", heads, known)]),
      ...(rows.length ? [piece("tbody", rows.map((cells) => row("td", cells, known)))] : []),
    ]);
  return { make, end: at };
}

function splitRow(line: string): string[] {
  const cells = [""];
  for (const part of line.trim().split(/(\\?\|)/)) {
    if (part === "|") cells.push("");
    else cells.push(cells.pop()! + (part === "\\|" ? "|" : part));
  }
  if (cells.length > 1 && !cells[0]!.trim()) cells.shift();
  if (cells.length > 1 && !cells.at(-1)!.trim()) cells.pop();
  return cells.map((cell) => cell.trim());
}

// Inline text.

const PUNCTUATION = /[!-/:-@[-`{-~]/;
const ESCAPE = /\\([!-/:-@[-`{-~])/g;
const ENTITY = /&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([A-Za-z]{2,8}));/y;
const AUTOLINK = /<(?:((?:https?|mailto):[^\s<>]*)|([\w.!#$%&'*+/=?^`{|}~-]+@[A-Za-z\d-]+(?:\.[A-Za-z\d-]+)*))>/iy;
const ADDRESS = new RegExp(
  String.raw`\(\s*(?!\s)(?:<((?:[^<>\n\\]|\\.){0,${LONGEST}})>|((?:[^\s()<\\]|\\\S|\((?:[^\s()\\]|\\\S){0,${LONGEST}}\))(?:[^\s()\\]|\\\S|\((?:[^\s()\\]|\\\S){0,${LONGEST}}\)){0,${LONGEST}})?)` +
    String.raw`(?:\s+(?!\s)(?:"(?:[^"\\]|\\.){0,${LONGEST}}"|'(?:[^'\\]|\\.){0,${LONGEST}}'|\((?:[^()\\]|\\.){0,${LONGEST}}\)))?\s*\)`,
  "sy",
);
const MAY_FOLLOW = /^(?:https?|mailto):/i;
/** Of the names of HTML those that people write in letters. */
const NAMED: ReadonlyMap<string, string> = new Map(
  [..."&amp <lt >gt \"quot 'apos \u00a0nbsp ©copy ®reg ™trade °deg ±plusmn ×times µmicro ·middot …hellip –ndash —mdash €euro §sect ²sup2 ³sup3 ½frac12 ≤le ≥ge →rarr \u00adshy".matchAll(/(\S|\u00a0)(\w+)/g)].map(
    ([, letter, name]) => [name!, letter!],
  ),
);

/** A row of stars, underscores or tildes that may begin or end something. */
interface Run {
  readonly mark: string;
  count: number;
  readonly whole: number;
  readonly opens: boolean;
  readonly closes: boolean;
}

type Part = Piece | string | Run;
const isRun = (part: Part | undefined): part is Run => typeof part === "object" && "mark" in part;

function nameOf(label: string): string {
  return label.trim().replace(/\s+/g, " ").toLowerCase().toUpperCase();
}

function readInline(text: string, references: References, depth = 0): Inside {
  const parts: Part[] = [];
  const add = (more: string) => {
    const last = parts.at(-1);
    if (typeof last === "string") parts[parts.length - 1] = last + more;
    else if (more) parts.push(more);
  };
  const ends = matchBrackets(text);
  const noTicks = new Set<number>();
  for (let at = 0; at < text.length; ) {
    const letter = text[at]!;
    if (letter === "\\") {
      const next = text[at + 1] ?? "";
      if (next === "\n") parts.push(piece("br", []));
      else add(PUNCTUATION.test(next) ? next : `\\${next}`);
      at += 2;
      while (next === "\n" && text[at] === " ") at += 1;
    } else if (letter === "`") {
      const { content, end } = readTicks(text, at, noTicks);
      if (content === null) add(text.slice(at, end));
      else {
        const isPadded = content.startsWith(" ") && content.endsWith(" ") && /[^ ]/.test(content);
        parts.push(piece("code", [isPadded ? content.slice(1, -1) : content]));
      }
      at = end;
    } else if (letter === "<") {
      AUTOLINK.lastIndex = at;
      const found = AUTOLINK.exec(text);
      if (found) parts.push({ tag: "a", inside: [found[1] ?? found[2]!], href: found[1] ?? `mailto:${found[2]}` });
      else add(letter);
      at += found?.[0].length ?? 1;
    } else if (letter === "[") {
      const link = depth < DEEPEST ? readLink(text, at, ends, references) : null;
      if (!link) {
        add(letter);
        at += 1;
        continue;
      }
      const label = readInline(text.slice(at + 1, ends.get(at)), references, depth + 1);
      if (hasLink(label)) {
        // Of a link in a link, the inner one counts.
        add("[");
        for (const one of label) parts.push(one);
        add("]");
        at = ends.get(at)! + 1;
      } else {
        parts.push({ tag: "a", inside: label, href: link.href });
        at = link.end;
      }
    } else if (letter === "*" || letter === "_" || letter === "~") {
      const run = readRun(text, at);
      parts.push(run);
      at += run.whole;
    } else if (letter === "&") {
      ENTITY.lastIndex = at;
      const [whole = letter, decimal, digits, name = ""] = ENTITY.exec(text) ?? [];
      const code = decimal ? Number(decimal) : digits ? Number.parseInt(digits, 16) : -1;
      add(code >= 0 ? letterOf(code) : (NAMED.get(name) ?? whole));
      at += whole.length;
    } else if (letter === "\n") {
      if (text.slice(Math.max(0, at - 2), at) === "  ") parts.push(piece("br", []));
      else add("\n");
      at += 1;
      while (text[at] === " ") at += 1;
    } else {
      const plain = /[^\\`<[*_~&\n]+/y;
      plain.lastIndex = at;
      const found = plain.exec(text)![0];
      at += found.length;
      add(text[at] === "\n" ? cutEnd(found, " ") : found);
    }
  }
  return flatten(pairRuns(parts), 0);
}

/** Elements without those that are deeper in others than anybody writes: of them the words are left. */
function flatten(inside: Inside, depth: number): Inside {
  const made = inside.map((one) => {
    if (typeof one === "string") return one;
    return depth < DEEPEST ? { ...one, inside: flatten(one.inside, depth + 1) } : wordsOf(one);
  });
  return joinTexts(made);
}

function wordsOf(piece: Piece): string {
  let words = "";
  const left: (Piece | string)[] = [piece];
  for (let one = left.pop(); one !== undefined; one = left.pop()) {
    if (typeof one === "string") words += one;
    else if (one.tag === "br") words += "\n";
    else for (const inner of one.inside.toReversed()) left.push(inner);
  }
  return words;
}

/** Returns for each "[" its "]"; those in code, and escaped ones, do not count. */
function matchBrackets(text: string): ReadonlyMap<number, number> {
  const ends = new Map<number, number>();
  const open: number[] = [];
  const noTicks = new Set<number>();
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at];
    if (letter === "\\") at += 1;
    else if (letter === "[") open.push(at);
    else if (letter === "]") {
      const start = open.pop();
      if (start !== undefined) ends.set(start, at);
    } else if (letter === "`") at = readTicks(text, at, noTicks).end - 1;
  }
  return ends;
}

/**
 * Reads a row of backticks, and the code up to the next row of as many; without that one `content` is null, and the row
 * is text. In `none` are the lengths of rows for which there is none.
 */
function readTicks(text: string, at: number, none: Set<number>): { content: string | null; end: number } {
  const rows = /`+/g;
  rows.lastIndex = at;
  const { length } = rows.exec(text)![0];
  const from = at + length;
  for (let found = none.has(length) ? null : rows.exec(text); found; found = rows.exec(text)) {
    if (found[0].length === length) return { content: text.slice(from, found.index).replace(/\n/g, " "), end: found.index + length };
  }
  none.add(length);
  return { content: null, end: from };
}

/** Returns the address of a link that begins at a "[", and where it ends; null where none does, or none to follow. */
function readLink(text: string, at: number, ends: ReadonlyMap<number, number>, references: References): { href: string; end: number } | null {
  const close = ends.get(at);
  if (close === undefined) return null;
  ADDRESS.lastIndex = close + 1;
  const found = text[close + 1] === "(" ? ADDRESS.exec(text) : null;
  if (found) return follow(found[1] ?? found[2] ?? "", close + 1 + found[0].length);
  const second = ends.get(close + 1);
  const label = second !== undefined && second > close + 2 ? text.slice(close + 2, second) : text.slice(at + 1, close);
  const known = label.length <= LONGEST ? references.get(nameOf(label)) : undefined;
  return known === undefined ? null : follow(known, (second ?? close) + 1);
}

function follow(written: string, end: number): { href: string; end: number } | null {
  const href = written.replace(ESCAPE, "$1").replace(/&amp;/g, "&");
  return MAY_FOLLOW.test(href) ? { href, end } : null;
}

function hasLink(inside: Inside): boolean {
  return inside.some((one) => typeof one === "object" && (one.tag === "a" || hasLink(one.inside)));
}

function letterOf(code: number): string {
  const isNone = code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) || (code < 32 && !/\s/.test(String.fromCharCode(code)));
  return isNone ? "\ufffd" : String.fromCodePoint(code);
}

function readRun(text: string, at: number): Run {
  const mark = text[at]!;
  let whole = 1;
  while (text[at + whole] === mark) whole += 1;
  const before = /[\s\S]$/u.exec(text.slice(Math.max(0, at - 2), at))?.[0] ?? " ";
  const after = /^[\s\S]/u.exec(text.slice(at + whole, at + whole + 2))?.[0] ?? " ";
  const isSpace = (one: string) => /\s/.test(one);
  const isMark = (one: string) => /[\p{P}\p{S}]/u.test(one);
  const left = !isSpace(after) && (!isMark(after) || isSpace(before) || isMark(before));
  const right = !isSpace(before) && (!isMark(before) || isSpace(after) || isMark(after));
  // An underscore inside of a word is a letter of it.
  const [opens, closes] = mark === "_" ? [left && (!right || isMark(before)), right && (!left || isMark(after))] : [left, right];
  return { mark, count: whole, whole, opens, closes };
}

/** Makes of rows of marks that belong together what they mean; all others are text. */
function pairRuns(parts: readonly Part[]): Inside {
  const done: Part[] = [];
  const open: number[] = []; // where runs that may open stand in `done`
  const lowest = new Map<string, number>(); // below this height of `open` nothing fits, by kind of the closing run
  for (const part of parts) {
    if (!isRun(part)) {
      done.push(part);
      continue;
    }
    const kind = `${part.mark}${part.opens}${part.whole % 3}`;
    while (part.closes && part.count > 0) {
      let at = open.length - 1;
      const floor = lowest.get(kind) ?? 0;
      while (at >= floor && !fits(done[open[at]!] as Run, part)) at -= 1;
      if (at < floor) {
        lowest.set(kind, open.length);
        break;
      }
      const from = open[at]!;
      const opener = done[from] as Run;
      const width = Math.min(opener.count, part.count, 2);
      const tag = part.mark === "~" ? "s" : width === 2 ? "strong" : "em";
      const inside = joinTexts(done.splice(from + 1));
      open.length = at + 1;
      for (const [its, height] of lowest) lowest.set(its, Math.min(height, at));
      opener.count -= width;
      part.count -= width;
      if (opener.count === 0) {
        done.pop();
        open.pop();
      }
      done.push(piece(tag, inside));
    }
    if (part.count === 0) continue;
    if (part.opens) open.push(done.length);
    done.push(part);
  }
  return joinTexts(done);
}

function fits(opener: Run, closer: Run): boolean {
  if (opener.mark !== closer.mark) return false;
  if (closer.mark === "~") return opener.count >= 2 && closer.count >= 2;
  // Of two rows that could each open and close, not any three marks in all belong together.
  const isEither = opener.closes || closer.opens;
  return !isEither || (opener.whole + closer.whole) % 3 !== 0 || (opener.whole % 3 === 0 && closer.whole % 3 === 0);
}

/** Joins texts that stand beside each other; a row of marks that belongs to no other one is text. */
function joinTexts(parts: readonly Part[]): Inside {
  const joined: (Piece | string)[] = [];
  for (const part of parts) {
    const one = isRun(part) ? part.mark.repeat(part.count) : part;
    const last = joined.at(-1);
    if (typeof one === "string" && typeof last === "string") joined[joined.length - 1] = last + one;
    else if (one !== "") joined.push(one);
  }
  return joined;
}
