/** Finds the data in the HTML of a transmittal; as src/zddc/transmittal/block.py. */

import { JsonError, placeOf } from "../canonical";

export const BLOCK_ID = "transmittal-data";
/** With the id first: other readers know it only there. */
export const OPENING = `<script id="${BLOCK_ID}" type="application/json">`;
export const CLOSING = "</script>";

const START = /<script(?=[ \t-\r/>])/gi;
const SPECIAL = /[>"']/g;
const QUOTED = /"[^"]*(?:"|$)|'[^']*(?:'|$)/g;
const ATTRIBUTE = /([^ \t-\r"'>/=]+)(?:[ \t-\r]*=[ \t-\r]*(?:"([^"]*)"|'([^']*)'|([^ \t-\r"'>]+)))?/g;
const END = /<\/script(?=[ \t-\r/>])/gi;

/** The HTML holds no data that every program finds alike; the message is the reason. */
export class BlockError extends Error {
  override readonly name = "BlockError";
}

/**
 * Returns where the data begins and ends in the HTML.
 *
 * It is the content of the only script whose id is BLOCK_ID, also where that stands in a comment: what two programs
 * could read differently is refused with a BlockError.
 */
export function findBlock(html: string): [start: number, end: number] {
  const starts: number[] = [];
  for (const [from, to] of tagsOf(html)) {
    const value = idOf(html.slice(from, to));
    if (value.includes("&")) throw new BlockError("the id of a script is written with '&'");
    if (value === BLOCK_ID) starts.push(to + 1);
  }
  const [start] = starts;
  if (start === undefined || starts.length > 1) throw new BlockError(starts.length ? "two data blocks" : "no data block");
  END.lastIndex = start;
  const end = END.exec(html);
  if (!end) throw new BlockError("the data block is not closed");
  if (html.slice(start, end.index).includes("<")) throw new BlockError("a '<' in the data block");
  return [start, end.index];
}

/**
 * Yields where the attributes of each script begin and end; a tag that never ends is passed over.
 *
 * Where one that never ends is read on, outside of quotation marks, another one does not end either. So no more than
 * three are read in vain: at each place a tag is outside of these, or between marks of one kind or the other.
 */
export function* tagsOf(html: string): Generator<[from: number, to: number]> {
  const endless: ((place: number) => boolean)[] = [];
  let at = 0;
  for (;;) {
    START.lastIndex = at;
    if (!START.test(html)) return;
    at = START.lastIndex;
    if (endless.some((isPlainAt) => isPlainAt(at))) continue;
    const end = endOfTag(html, at);
    if (end < 0) {
      endless.push(plainPlaces(html, at));
    } else {
      yield [at, end];
      at = end + 1;
    }
  }
}

/** Returns where a tag ends, and -1 for one that never does. */
function endOfTag(html: string, start: number): number {
  let at = start;
  for (;;) {
    SPECIAL.lastIndex = at;
    const found = SPECIAL.exec(html);
    if (!found || found[0] === ">") return found ? found.index : -1;
    at = html.indexOf(found[0], found.index + 1) + 1;
    if (!at) return -1;
  }
}

/** Returns whether a place is outside of quotation marks, for a tag that never ends; asked from left to right. */
function plainPlaces(html: string, start: number): (place: number) => boolean {
  const quoted = html.slice(start).matchAll(QUOTED);
  let next = quoted.next().value as RegExpExecArray | undefined;
  return (place) => {
    while (next && start + next.index + next[0].length <= place) next = quoted.next().value as RegExpExecArray | undefined;
    return !next || place <= start + next.index;
  };
}

/** Returns the first id among the attributes of an element, as a browser takes it. */
function idOf(attributes: string): string {
  for (const [, name = "", ...values] of attributes.matchAll(ATTRIBUTE)) {
    if (name.toLowerCase() === "id") return values.slice(0, 3).join("");
  }
  return "";
}

/** Returns an error of the data with its place in the HTML in which the data begins at `start`. */
export function shiftError(error: JsonError, html: string, start: number): JsonError {
  const { lines, characters } = placeOf(html, start);
  return new JsonError(error.reason, error.line + lines, error.column + (error.line === 1 ? characters : 0));
}
