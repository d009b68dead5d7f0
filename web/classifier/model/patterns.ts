/** Patterns that split old names into fields, and find and replace in one column. */
import { FIELDS, type Field, type Fields, isField, tidy } from "./columns";

/** A pattern that cannot be used; the message says why, for people. */
export class PatternError extends Error {
  override name = "PatternError";
}

export interface Words {
  noGroup: (fields: string) => string;
  unknownGroup: (name: string, fields: string) => string;
  twice: (name: string) => string;
  notRegular: (why: string) => string;
  empty: string;
}

// What a field of a template stands for. As little as possible, so that the text between the fields decides.
const TEMPLATE_PARTS: Record<Field | "any", string> = {
  tracking: "[^\\s_]+?",
  revision: "~?[^\\s_()]+?",
  status: "[A-Za-z]{3}|---",
  title: ".+?",
  extension: "[^.\\s]+",
  any: ".*?",
};

/**
 * Return the regular expression of a pattern: either one with named groups, or a template.
 *
 * `{tracking} rev{revision} {title}.{extension}` is a template: each field stands for what can be in it, `{any}` for
 * anything, a blank for white space of any length, and everything else for itself. It matches whole names, in any
 * letter case. Throws {@link PatternError}.
 */
export function compilePattern(pattern: string, words: Words): RegExp {
  if (!pattern.trim()) throw new PatternError(words.empty);
  const isExpression = pattern.includes("(?<");
  const source = isExpression ? pattern : templateSource(pattern, words);
  let expression: RegExp;
  try {
    expression = new RegExp(source, isExpression ? "u" : "iu");
  } catch (error) {
    throw new PatternError(words.notRegular(error instanceof Error ? error.message : String(error)));
  }
  const names = [...source.matchAll(/\(\?<([^=!>]+)>/g)].map((found) => found[1] ?? "");
  const unknown = names.find((name) => !isField(name));
  if (unknown !== undefined) throw new PatternError(words.unknownGroup(unknown, FIELDS.join(", ")));
  if (!names.length) throw new PatternError(words.noGroup(FIELDS.join(", ")));
  return expression;
}

function templateSource(template: string, words: Words): string {
  const seen = new Set<string>();
  const source = template.trim().replace(/\{(\w+)\}|\s+|[^{\s]+|\{/g, (text, name: string | undefined) => {
    if (name === undefined) return /^\s/.test(text) ? "\\s+" : text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
    if (name === "any") return `(?:${TEMPLATE_PARTS.any})`;
    if (!isField(name)) throw new PatternError(words.unknownGroup(name, `${FIELDS.join(", ")}, any`));
    if (seen.has(name)) throw new PatternError(words.twice(name));
    seen.add(name);
    return `(?<${name}>${TEMPLATE_PARTS[name]})`;
  });
  return `^${source}$`;
}

/** Return the fields that a pattern finds in a name; null if it does not match. */
export function splitName(name: string, expression: RegExp): Partial<Fields> | null {
  const groups = expression.exec(name)?.groups;
  if (!groups) return null;
  const fields: Partial<Fields> = {};
  for (const field of FIELDS) {
    const value = tidy(groups[field] ?? "");
    if (value) fields[field] = field === "status" ? value.toUpperCase() : value;
  }
  return fields;
}

export interface Search {
  find: string;
  replacement: string;
  regular: boolean;
  matchCase: boolean;
}

/**
 * Return the function that replaces everything that a search finds in a text. Throws {@link PatternError}.
 *
 * In the replacement of a regular expression `$1` to `$99`, `$<name>` and `$&` stand for what was found, and `\1` for
 * `$1`; otherwise every character stands for itself.
 */
export function compileReplacement(search: Search, words: Pick<Words, "empty" | "notRegular">): (text: string) => string {
  if (!search.find) throw new PatternError(words.empty);
  const source = search.regular ? search.find : search.find.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  let expression: RegExp;
  try {
    expression = new RegExp(source, search.matchCase ? "gu" : "giu");
  } catch (error) {
    throw new PatternError(words.notRegular(error instanceof Error ? error.message : String(error)));
  }
  const { replacement } = search;
  if (!search.regular) return (text) => text.replace(expression, () => replacement);
  const meant = replacement.replace(/\\(\d)/g, "$$$1");
  // An expression such as `.*` also finds the nothing behind what it has found; people expect one replacement.
  return (text) => {
    let end = -1;
    return text.replace(expression, (...found: unknown[]) => {
      const match = found[0] as string;
      const at = found.findLast((part) => typeof part === "number") as number;
      if (match === "" && at === end) return "";
      end = at + match.length;
      return expand(meant, found, at);
    });
  };
}

/** Return a replacement in which `$` forms stand for what was found, as String.replace reads them. */
function expand(replacement: string, found: readonly unknown[], at: number): string {
  const match = found[0] as string;
  const last = found.at(-1);
  const named = typeof last === "object" && last !== null ? (last as Record<string, string | undefined>) : null;
  const groups = found.slice(1, found.indexOf(at, 1)) as (string | undefined)[];
  return replacement.replace(/\$(?:(\$)|(&)|(\d{1,2})|<([^>]*)>)/g, (form, dollar, whole, digits, name) => {
    if (dollar) return "$";
    if (whole) return match;
    if (name !== undefined) return named ? (named[name] ?? "") : form;
    const two = Number(digits);
    if (two >= 1 && two <= groups.length) return groups[two - 1] ?? "";
    const one = Number(String(digits)[0]);
    const rest = String(digits).slice(1);
    return rest && one >= 1 && one <= groups.length ? (groups[one - 1] ?? "") + rest : form;
  }) as string;
}
