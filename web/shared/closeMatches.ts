/** Which known word a person meant; as difflib.get_close_matches with its defaults, and one answer. */

const CUTOFF = 0.6;
const POPULAR_FROM = 200;

/** Returns the most similar of the known words, or nothing if none is similar enough. */
export function closestMatch(word: string, known: Iterable<string>): string {
  let best = "";
  let bestRatio = CUTOFF;
  for (const one of known) {
    const ratio = similarity(one, word);
    // Of equally similar words the last in the order of texts is the one, as in a list of the largest pairs.
    if (ratio > bestRatio || (ratio === bestRatio && one > best)) [best, bestRatio] = [one, ratio];
  }
  return best;
}

/** Twice the letters in common blocks, found from the longest on, by the letters of both. */
function similarity(one: string, other: string): number {
  const length = one.length + other.length;
  return length ? (2 * commonLetters(one, other)) / length : 1;
}

function commonLetters(one: string, other: string): number {
  const places = placesOf(other);
  const pending: [number, number, number, number][] = [[0, one.length, 0, other.length]];
  let count = 0;
  while (pending.length) {
    const [fromOne, toOne, fromOther, toOther] = pending.pop()!;
    const [a, b, size] = longestBlock(one, other, places, fromOne, toOne, fromOther, toOther);
    if (!size) continue;
    count += size;
    pending.push([fromOne, a, fromOther, b], [a + size, toOne, b + size, toOther]);
  }
  return count;
}

/** Where each letter stands; in a long text, letters that are very common begin no block. */
function placesOf(text: string): Map<string, number[]> {
  const places = new Map<string, number[]>();
  for (let at = 0; at < text.length; at += 1) {
    const known = places.get(text[at]!);
    if (known) known.push(at);
    else places.set(text[at]!, [at]);
  }
  if (text.length >= POPULAR_FROM) {
    const most = Math.floor(text.length / 100) + 1;
    for (const [letter, all] of places) if (all.length > most) places.delete(letter);
  }
  return places;
}

function longestBlock(
  one: string,
  other: string,
  places: ReadonlyMap<string, readonly number[]>,
  fromOne: number,
  toOne: number,
  fromOther: number,
  toOther: number,
): [number, number, number] {
  let [bestOne, bestOther, size] = [fromOne, fromOther, 0];
  let lengths = new Map<number, number>();
  for (let a = fromOne; a < toOne; a += 1) {
    const next = new Map<number, number>();
    for (const b of places.get(one[a]!) ?? []) {
      if (b < fromOther) continue;
      if (b >= toOther) break;
      const length = (lengths.get(b - 1) ?? 0) + 1;
      next.set(b, length);
      if (length > size) [bestOne, bestOther, size] = [a - length + 1, b - length + 1, length];
    }
    lengths = next;
  }
  while (bestOne > fromOne && bestOther > fromOther && one[bestOne - 1] === other[bestOther - 1]) {
    [bestOne, bestOther, size] = [bestOne - 1, bestOther - 1, size + 1];
  }
  while (bestOne + size < toOne && bestOther + size < toOther && one[bestOne + size] === other[bestOther + size]) {
    size += 1;
  }
  return [bestOne, bestOther, size];
}
