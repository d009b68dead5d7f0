/** Makes characters visible that a reader could not see, or that turn the direction of writing; src/zddc/visible.py. */

// Control characters but newline and tab, those that turn the direction of writing, those without a width, those that
// end a line elsewhere, and halves of surrogate pairs.
const IN_TEXT =
  "\\0-\\x08\\x0b-\\x1f\\x7f-\\x9f\\xad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u2028-\\u202e" +
  "\\u2060-\\u206f\\u3164\\ufe00-\\ufe0e\\ufeff\\uffa0\\ufff9-\\ufffb\\ud800-\\udfff" +
  "\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}";
const INVISIBLE_IN_TEXT = /* @__PURE__ */ new RegExp(`[${IN_TEXT}]`, "gu");
const INVISIBLE = new RegExp(`[\\t\\n${IN_TEXT}]`, "gu");
const PLAIN = /^[ -~]*$/;

/** Returns a name with a mark such as ⟦U+202E⟧ for each such character, a tab and a line break included. */
export function visible(text: string): string {
  return PLAIN.test(text) ? text : text.replace(INVISIBLE, mark);
}

/** As `visible`, for text of several lines: tabs and line breaks stay. */
export function visibleText(text: string): string {
  return text.replace(INVISIBLE_IN_TEXT, mark);
}

/** Returns a name in pieces, each with whether it is the mark of such a character, so that a page can set it apart. */
export function splitVisible(text: string): { readonly text: string; readonly isMark: boolean }[] {
  if (PLAIN.test(text)) return text ? [{ text, isMark: false }] : [];
  const pieces = [];
  let done = 0;
  for (const found of text.matchAll(INVISIBLE)) {
    if (found.index > done) pieces.push({ text: text.slice(done, found.index), isMark: false });
    pieces.push({ text: mark(found[0]), isMark: true });
    done = found.index + found[0].length;
  }
  if (done < text.length) pieces.push({ text: text.slice(done), isMark: false });
  return pieces;
}

/** Returns the code points that `visibleText` marks, for the test that they are Python's. */
export function isInvisible(codePoint: number): boolean {
  return String.fromCodePoint(codePoint).search(INVISIBLE_IN_TEXT) === 0;
}

function mark(character: string): string {
  return `⟦U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}⟧`;
}
