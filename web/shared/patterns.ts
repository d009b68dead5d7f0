/**
 * Finds patterns in texts in time linear in the text's length, as RE2 does: letter by letter, with the set of all places
 * in the pattern that are possible so far. JavaScript's own RegExp would try them one after the other, which some
 * expressions make last for hours.
 */

import { foldPoint, readPattern, MANY, type Element, type Letters } from "./patternSyntax";

/** Says whether a pattern is in a text. */
export interface Test {
  /** By what foldText makes of the text: most texts are decided by it; null where it takes the text itself. */
  readonly quick: (folded: string) => boolean | null;
  readonly full: (text: string) => boolean;
  /** Where a text fits if it has this in it, folded, and only then. */
  readonly word?: string;
}

/** In RE2's instructions, as they are estimated here. */
export const LARGEST_PATTERN = 1500;

const ASCII = /^[\x00-\x7f]*$/;
const TO_FOLD = /[A-Z]|[^\x00-\x7f]/gu;

/** Returns a text in which neither letter case nor the encoding of accents is left. */
export function foldText(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase();
  return text.normalize("NFC").replace(TO_FOLD, (letter) => String.fromCodePoint(foldPoint(letter.codePointAt(0)!)));
}

/** Returns the test for a pattern as a regular expression or as it is; null if it is too large. */
export function compilePattern(pattern: string, isLiteral: boolean, atStart: boolean, atEnd: boolean): Test | null {
  const asItIs = literalTest(foldText(pattern), atStart, atEnd);
  // Behind \Q, RE2 would take all as it is, to the end; \C would be half a letter.
  const elements = isLiteral || /\\[QC]/.test(pattern) ? null : readPattern(pattern);
  if (!elements) return asItIs;
  const size = estimateSize(elements) + estimateSize(readPattern(escaped(pattern)) ?? []) + (atEnd && !atStart ? 14 : 4);
  if (size > LARGEST_PATTERN) return null;
  const automaton = new Automaton(elements, atStart, atEnd);
  const required = requiredText(elements);
  // Folding changes no letter's class, but the letters beyond ASCII that are equal to k and s are no part of a word.
  const takesText = elements.some(({ kind }) => kind === "boundary" || kind === "no boundary");
  return {
    quick: (folded) => {
      if (asItIs.quick(folded)) return true;
      if (required && !folded.includes(required)) return false;
      return takesText ? null : automaton.matches(folded);
    },
    full: (text) => automaton.matches(ASCII.test(text) ? text : text.normalize("NFC")),
  };
}

function literalTest(pattern: string, atStart: boolean, atEnd: boolean): Test {
  let quick = (folded: string): boolean => folded.includes(pattern);
  if (atStart && atEnd) quick = (folded) => folded === pattern;
  else if (atStart) quick = (folded) => folded.startsWith(pattern);
  else if (atEnd) quick = (folded) => folded.endsWith(pattern);
  return { quick, full: (text) => quick(foldText(text)), ...(!atStart && !atEnd && { word: pattern }) };
}

function estimateSize(elements: readonly Element[]): number {
  let size = 0;
  for (const element of elements) {
    if (element.kind !== "letters") size += 1;
    else if (element.max === MANY) size += element.letters.cost * Math.max(element.min, 1) + 1;
    else size += element.letters.cost * element.max + (element.max - element.min);
  }
  return size;
}

function escaped(pattern: string): string {
  return pattern.replace(/[!-\/:-@[-^`{-~]/g, "\\$&");
}

/** The longest run of single letters that every match has in it, folded: most texts can be passed over by it. */
function requiredText(elements: readonly Element[]): string {
  let [longest, run] = ["", ""];
  for (const element of elements) {
    const isOne = element.kind === "letters" && element.min === 1 && element.max === 1 && element.letters.single >= 0;
    run = isOne ? run + String.fromCodePoint(element.letters.single) : "";
    if (run.length > longest.length) longest = run;
  }
  return longest;
}

/** One place of a pattern: what must come next, and whether it may be passed over or come again. */
type Step =
  | { readonly kind: "letters"; readonly letters: number; readonly mayPass: boolean; readonly mayRepeat: boolean }
  | { readonly kind: "start" | "end" | "boundary" | "no boundary" };

/** Places that are possible after some letters; what follows is looked up by the next letter's class. */
interface State {
  readonly places: readonly number[];
  readonly isStart: boolean;
  readonly afterWord: boolean;
  readonly next: (State | undefined)[];
  isEnd: boolean | undefined;
}

const MOST_STATES = 2000;

class Automaton {
  private readonly steps: Step[] = [];
  private readonly sets: Letters[] = [];
  /** The class of each letter: two letters of one class are in the same sets. */
  private readonly classes = new Map<number, number>();
  private readonly classOfAscii = new Int16Array(128).fill(-1);
  private readonly classNumbers = new Map<string, number>();
  private readonly members: (readonly boolean[])[] = [];
  private readonly isWord: boolean[] = [];
  private states = new Map<string, State>();
  private first: State;
  private readonly found: State = state([], false, false);
  private readonly lost: State = state([], false, false);

  constructor(elements: readonly Element[], private readonly atStart: boolean, private readonly atEnd: boolean) {
    for (const element of elements) this.addSteps(element);
    this.first = this.stateOf([0], true, false);
  }

  private addSteps(element: Element): void {
    if (element.kind !== "letters") {
      this.steps.push(element);
      return;
    }
    if (element.max === 0) return;
    const letters = this.sets.push(element.letters) - 1;
    const add = (mayPass: boolean, mayRepeat: boolean): unknown =>
      this.steps.push({ kind: "letters", letters, mayPass, mayRepeat });
    if (element.max === MANY) {
      for (let n = 1; n < element.min; n += 1) add(false, false);
      add(element.min === 0, true);
    } else {
      for (let n = 0; n < element.max; n += 1) add(n >= element.min, false);
    }
  }

  matches(text: string): boolean {
    let current = this.first;
    for (let at = 0; at < text.length; at += 1) {
      let letter = text.charCodeAt(at);
      let kind = letter < 128 ? this.classOfAscii[letter]! : -1;
      if (kind < 0) {
        letter = text.codePointAt(at)!;
        if (letter > 0xffff) at += 1;
        kind = this.classOf(letter);
      }
      const next = current.next[kind] ?? this.follow(current, kind);
      if (next === this.found) return true;
      if (next === this.lost) return false;
      current = next;
    }
    return (current.isEnd ??= this.reach(current, false, true).includes(this.steps.length));
  }

  private classOf(letter: number): number {
    const known = this.classes.get(letter);
    if (known !== undefined) return known;
    const members = this.sets.map((one) => one.has(letter));
    const isWord =
      (letter >= 48 && letter <= 57) || (letter >= 65 && letter <= 90) || letter === 95 || (letter >= 97 && letter <= 122);
    const key = `${members.map(Number).join("")}${isWord ? "w" : ""}`;
    let number = this.classNumbers.get(key);
    if (number === undefined) {
      number = this.members.push(members) - 1;
      this.isWord.push(isWord);
      this.classNumbers.set(key, number);
    }
    this.classes.set(letter, number);
    if (letter < 128) this.classOfAscii[letter] = number;
    return number;
  }

  private follow(current: State, kind: number): State {
    const isWord = this.isWord[kind]!;
    const members = this.members[kind]!;
    const reached = this.reach(current, isWord, false);
    let next: State;
    if (!this.atEnd && reached.includes(this.steps.length)) {
      next = this.found;
    } else {
      const places = new Set<number>();
      for (const place of reached) {
        const step = this.steps[place];
        if (step?.kind !== "letters" || !members[step.letters]) continue;
        // One that may repeat stays where it is, and may then be passed over, since it was there once.
        places.add(step.mayRepeat ? -place - 1 : place + 1);
      }
      if (!this.atStart) places.add(0);
      next = places.size ? this.stateOf([...places].sort((a, b) => a - b), false, isWord) : this.lost;
    }
    current.next[kind] = next;
    return next;
  }

  /** Returns all places that can be reached without another letter; a negative one has been there once already. */
  private reach(from: State, beforeWord: boolean, atEnd: boolean): number[] {
    const reached = new Set<number>();
    const pending = from.places.flatMap((place) => (place < 0 ? [-place - 1, -place] : [place]));
    while (pending.length) {
      const place = pending.pop()!;
      if (reached.has(place)) continue;
      reached.add(place);
      const step = this.steps[place];
      if (!step) continue;
      const isBoundary = from.afterWord !== beforeWord;
      const passes =
        step.kind === "letters" ? step.mayPass
        : step.kind === "start" ? from.isStart
        : step.kind === "end" ? atEnd
        : step.kind === "boundary" ? isBoundary
        : !isBoundary;
      if (passes) pending.push(place + 1);
    }
    return [...reached];
  }

  private stateOf(places: readonly number[], isStart: boolean, afterWord: boolean): State {
    const key = `${places.join()}${isStart ? "s" : ""}${afterWord ? "w" : ""}`;
    const known = this.states.get(key);
    if (known) return known;
    if (this.states.size >= MOST_STATES) {
      // Those that are in use keep what they know; the others are made again where they are needed.
      this.states = new Map();
      this.first = state([0], true, false);
      this.states.set("0s", this.first);
    }
    const made = state(places, isStart, afterWord);
    this.states.set(key, made);
    return made;
  }
}

function state(places: readonly number[], isStart: boolean, afterWord: boolean): State {
  return { places, isStart, afterWord, next: [], isEnd: undefined };
}
