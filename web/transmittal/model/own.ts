/** What a person saves in her own copy of the page: parties, distribution lists, logos, known keys. Never a private key. */
import { formatJson, parseJson, type Json, type JsonObject } from "../../shared/canonical";
import { isObject, itemsOf, textOf } from "../../shared/transmittal/data";
import { isLogo } from "../../shared/transmittal/logos";
import { formatKnownKeys, parseKnownKeys, type KnownKey } from "../../shared/transmittal/knownKeys";

export const OWN_ID = "own-data";
const FORMAT = "zddc-own-copy-v1";

export interface Own {
  /** Who sends, in this person's transmittals. */
  readonly from: string;
  readonly parties: readonly string[];
  /** Named lists of those who get a transmittal. */
  readonly lists: readonly { readonly name: string; readonly to: string }[];
  readonly client: string;
  readonly project: string;
  readonly projectNumber: string;
  readonly leftLogo: string;
  readonly rightLogo: string;
  readonly knownKeys: readonly KnownKey[];
}

export const NOTHING: Own = {
  ...{ from: "", parties: [], lists: [], client: "", project: "", projectNumber: "", leftLogo: "", rightLogo: "", knownKeys: [] },
};

/** Returns what a copy has in it; throws JsonError or KnownKeysError for a damaged one. */
export function parseOwn(text: string): Own {
  const whole = parseJson(text);
  if (!isObject(whole) || whole.get("format") !== FORMAT) return NOTHING;
  const logo = (name: string) => (isLogo(textOf(whole, name)) ? textOf(whole, name) : "");
  const keys = whole.get("knownKeys");
  return {
    from: textOf(whole, "from"),
    parties: itemsOf(whole, "parties").filter((one): one is string => typeof one === "string"),
    lists: itemsOf(whole, "lists").filter(isObject).map((one) => ({ name: textOf(one, "name"), to: textOf(one, "to") })),
    client: textOf(whole, "client"),
    project: textOf(whole, "project"),
    projectNumber: textOf(whole, "projectNumber"),
    leftLogo: logo("leftLogo"),
    rightLogo: logo("rightLogo"),
    knownKeys: isObject(keys) ? parseKnownKeys(formatJson(keys)) : [],
  };
}

/** Returns the text of the data block of a copy. */
export function formatOwn(own: Own): string {
  const { lists, parties, knownKeys, ...texts } = own;
  const data: JsonObject = new Map<string, Json>([
    ["format", FORMAT],
    ...Object.entries(texts),
    ["parties", parties],
    ["lists", lists.map((one) => new Map(Object.entries(one)))],
    ["knownKeys", parseJson(formatKnownKeys(knownKeys))],
  ]);
  return formatJson(data).replace(/[<>&\u2028\u2029]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Returns a page with other own data: everything else, its code above all, stays byte by byte. */
export function withOwn(html: string, own: Own): string {
  const opening = `<script id="${OWN_ID}" type="application/json">`;
  const start = html.indexOf(opening) + opening.length;
  const end = html.indexOf("</" + "script>", start);
  if (start < opening.length || end < 0) throw new Error("the page has no place for own data");
  return html.slice(0, start) + formatOwn(own) + html.slice(end);
}
