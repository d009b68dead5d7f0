/** Continues numbers, letters and dates, as the corner of a cell does in a spreadsheet. */

interface Shape {
  kind: "number" | "letter" | "date" | "text";
  before: string;
  /** The number itself; of letters A = 1 … Z = 26, AA = 27; of a date the day since 1970. */
  value: bigint;
  width: number;
  lower: boolean;
  after: string;
}

const DAY_MS = 86_400_000;
// What can be written: of dates the days of the years 0 to 9999.
const RANGES: Record<Shape["kind"], [least: bigint, most: bigint | null]> = {
  number: [0n, null],
  letter: [1n, null],
  date: [-719_528n, 2_932_896n],
  text: [0n, null],
};

/**
 * Return the `count` values that follow the seeds.
 *
 * One seed goes on in steps of one, two or more in the step from the first to the second. The last number of a text
 * counts and keeps its width (`DWG-0009` → `DWG-0010`); a text of one to three letters counts as letters (`A` → `B`,
 * `Z` → `AA`); a date counts days. Anything else is repeated.
 */
export function continueSeries(seeds: readonly string[], count: number): string[] {
  const shapes = seeds.map(readShape);
  const [first, second] = shapes;
  const last = shapes.at(-1);
  const repeats = () => Array.from({ length: count }, (_, n) => seeds[n % seeds.length] ?? "");
  if (!first || !last) return Array.from({ length: count }, () => "");
  if (shapes.some((shape) => !continues(first, shape))) return repeats();
  const step = second ? second.value - first.value : 1n;
  const values = Array.from({ length: count }, (_, n) => last.value + step * BigInt(n + 1));
  const [least, most] = RANGES[first.kind];
  if (values.some((value) => value < least || (most !== null && value > most))) return repeats();
  return values.map((value) => writeShape(last, value));
}

function continues(first: Shape, other: Shape): boolean {
  return (
    first.kind !== "text" && first.kind === other.kind && first.before === other.before && first.after === other.after
  );
}

function readShape(text: string): Shape {
  const plain = { before: "", after: "", value: 0n, width: 0, lower: false };
  const date = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  if (!Number.isNaN(date) && formatDate(date) === text) {
    return { ...plain, kind: "date", value: BigInt(Math.round(date / DAY_MS)) };
  }
  const number = /^(.*?)(\d+)(\D*)$/su.exec(text);
  if (number) {
    const [, before = "", digits = "", after = ""] = number;
    return { ...plain, kind: "number", before, value: BigInt(digits), width: digits.length, after };
  }
  const letters = /^(~?)([A-Z]{1,3}|[a-z]{1,3})$/.exec(text);
  if (letters) {
    const [, before = "", word = ""] = letters;
    const lower = word === word.toLowerCase();
    return { ...plain, kind: "letter", before, value: lettersValue(word.toUpperCase()), lower };
  }
  return { ...plain, kind: "text" };
}

function writeShape(shape: Shape, value: bigint): string {
  if (shape.kind === "date") return formatDate(Number(value) * DAY_MS);
  const word = shape.kind === "letter" ? lettersOf(value, shape.lower) : String(value).padStart(shape.width, "0");
  return `${shape.before}${word}${shape.after}`;
}

function formatDate(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 10);
}

function lettersValue(word: string): bigint {
  let value = 0n;
  for (const letter of word) value = value * 26n + BigInt(letter.charCodeAt(0) - 64);
  return value;
}

function lettersOf(value: bigint, lower: boolean): string {
  let word = "";
  for (let rest = value; rest > 0n; rest = (rest - 1n) / 26n) {
    word = String.fromCharCode(65 + Number((rest - 1n) % 26n)) + word;
  }
  return lower ? word.toLowerCase() : word;
}
