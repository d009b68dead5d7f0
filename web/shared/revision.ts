/** Revisions such as "A", "~B", "A+C2", "0" or "2025-10-31": their parts and their order, as src/zddc/revision.py. */

import { caseFold, compareCodePoints } from "./pythonText";

/** ASCII only: \d would do, since it is ASCII in JavaScript, but is not in Python. */
export const DATE_AT_START = /^[0-9]{4}-[0-9]{2}-[0-9]{2}/;
export const DATE = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/;
const LETTERS = /^[A-Za-z]+$/;
const NUMBER = /^[0-9]+(?:\.[0-9]+)?$/;
const MODIFIER = /^\+(~?)([A-Za-z])([0-9]{1,255})$/;

/** The parts of a revision. */
export interface Revision {
  readonly base: string;
  /** Everything from the first "+" on. */
  readonly modifier: string;
  /** The letter of a modifier "+", "~" or not, one letter, digits, in upper case; empty for any other modifier. */
  readonly modifierType: string;
  /** The digits of the modifier without zeros in front; "0" for any other modifier. A text, since it may be long. */
  readonly modifierNumber: string;
  readonly modifierIsDraft: boolean;
  readonly isDraft: boolean;
  readonly text: string;
}

/** Parses any text into the parts of a revision; never throws. */
export function parseRevision(text: string): Revision {
  const isDraft = text.startsWith("~");
  const rest = isDraft ? text.slice(1) : text;
  const plus = rest.indexOf("+");
  const base = plus < 0 ? rest : rest.slice(0, plus);
  const modifier = plus < 0 ? "" : rest.slice(plus);
  const known = modifier ? MODIFIER.exec(modifier) : null;
  return {
    base,
    modifier,
    modifierType: known ? known[2]!.toUpperCase() : "",
    modifierNumber: known ? withoutZeros(known[3]!) : "0",
    modifierIsDraft: known ? known[1] === "~" : false,
    isDraft,
    text,
  };
}

/** A key that `compareRevisionKeys` orders. */
export interface RevisionKey {
  /** 0 for dates, 1 for letters, 2 for numbers, 3 for everything else. */
  readonly tier: 0 | 1 | 2 | 3;
  /** A number as its whole part without zeros in front, and its fraction without zeros at the end; else empty. */
  readonly whole: string;
  readonly fraction: string;
  readonly base: string;
  readonly asWritten: string;
  readonly parts: Revision;
}

export function revisionKey(text: string): RevisionKey {
  const parts = parseRevision(text);
  const base = parts.base;
  if (DATE.test(base)) return { tier: 0, whole: "", fraction: "", base, asWritten: "", parts };
  if (LETTERS.test(base)) return { tier: 1, whole: "", fraction: "", base: base.toUpperCase(), asWritten: "", parts };
  if (NUMBER.test(base)) {
    const [whole = "", fraction = ""] = base.split(".");
    return { tier: 2, whole: withoutZeros(whole), fraction: withoutZerosAtEnd(fraction), base: "", asWritten: "", parts };
  }
  return { tier: 3, whole: "", fraction: "", base: caseFold(base), asWritten: base, parts };
}

/**
 * Orders revisions from older to newer: dates, letters, numbers by value, everything else by case-folded text and then
 * by code point. With the same base, a draft comes before the final, no modifier before any modifier, and modifiers
 * sort by type, then number, then draft before final.
 */
export function compareRevisionKeys(one: RevisionKey, other: RevisionKey): -1 | 0 | 1 {
  const a = one.parts;
  const b = other.parts;
  return (
    compareNumbers(one.tier, other.tier) ||
    compareDigits(one.whole, other.whole) ||
    compareCodePoints(one.fraction, other.fraction) ||
    compareCodePoints(one.base, other.base) ||
    compareCodePoints(one.asWritten, other.asWritten) ||
    compareNumbers(Number(!a.isDraft), Number(!b.isDraft)) ||
    compareNumbers(Number(a.modifier !== ""), Number(b.modifier !== "")) ||
    compareCodePoints(a.modifierType, b.modifierType) ||
    compareDigits(a.modifierNumber, b.modifierNumber) ||
    compareNumbers(Number(!a.modifierIsDraft), Number(!b.modifierIsDraft))
  );
}

export function compareRevisions(one: string, other: string): -1 | 0 | 1 {
  return compareRevisionKeys(revisionKey(one), revisionKey(other));
}

function compareNumbers(one: number, other: number): -1 | 0 | 1 {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** Orders whole numbers without zeros in front by value, at any length and without rounding. */
function compareDigits(one: string, other: string): -1 | 0 | 1 {
  return compareNumbers(one.length, other.length) || compareCodePoints(one, other);
}

function withoutZeros(digits: string): string {
  let at = 0;
  while (at < digits.length - 1 && digits[at] === "0") at += 1;
  return digits.slice(at);
}

function withoutZerosAtEnd(digits: string): string {
  let end = digits.length;
  while (end && digits[end - 1] === "0") end -= 1;
  return digits.slice(0, end);
}
