/** The block between two lines of "---" at the start of a document. It is text, and stays the text that it is. */

export interface FrontMatter {
  /** Where the line after the opening one begins, and where the closing one begins. */
  readonly from: number;
  readonly to: number;
  /** Behind the closing line, its line end included. */
  readonly end: number;
  /** How many lines it has, those that open and close it included. */
  readonly lines: number;
  /** The keys that begin a line, in their order. */
  readonly keys: readonly string[];
}

/** The keys that are offered, as far as the name of the file knows their values. */
export const OFFERED_KEYS = ["tracking", "revision", "status", "title", "author", "date"] as const;
export type OfferedKey = (typeof OFFERED_KEYS)[number];

const OPENING = /^---[ \t]*(?:\n|$)/;
const CLOSING = /^(?:---|\.\.\.)[ \t]*$/;

/** Returns the front matter of a text with "\n" as line ends; null where there is none. */
export function findFrontMatter(text: string): FrontMatter | null {
  const opening = OPENING.exec(text);
  if (!opening) return null;
  const from = opening[0].length;
  const keys: string[] = [];
  let lines = 1;
  for (let at = from; at < text.length; ) {
    const newline = text.indexOf("\n", at);
    const lineTo = newline < 0 ? text.length : newline;
    const line = text.slice(at, lineTo);
    lines += 1;
    if (CLOSING.test(line)) return { from, to: at, end: newline < 0 ? lineTo : newline + 1, lines, keys };
    const key = /^([A-Za-z_][\w .-]*?)[ \t]*:(?:[ \t]|$)/.exec(line)?.[1];
    if (key) keys.push(key);
    at = lineTo + 1;
  }
  return null;
}

export interface Insertion {
  readonly at: number;
  readonly text: string;
  /** Where the value begins, in the text after the insertion. */
  readonly valueAt: number;
}

/** Returns what adds a key to the front matter of a text, or the front matter with it. */
export function insertKey(text: string, key: string, value: string): Insertion {
  const found = findFrontMatter(text);
  const line = `${key}: ${formatScalar(value)}\n`;
  if (found) return { at: found.to, text: line, valueAt: found.to + key.length + 2 };
  return { at: 0, text: `---\n${line}---\n\n`, valueAt: 4 + key.length + 2 };
}

/** Returns a value as YAML reads it back: plain where that is safe, else quoted. */
export function formatScalar(value: string): string {
  if (value === "") return "";
  // A text that YAML would take for a number, a date, a word of its own or an ending is quoted.
  const isPlain = /^[A-Za-z][\w .,()/-]*$/.test(value) && !/ $/.test(value) && !/^(?:y|n|yes|no|on|off|true|false|null)$/i.test(value);
  return isPlain ? value : JSON.stringify(value);
}
