/** Names that Windows, or a folder that is synced with it, cannot hold; as src/zddc/windows_names.py. */

import { BLANK_CLASS } from "./pythonText";

// Also with any extension. OneDrive refuses COM0 and LPT0; Windows reads a superscript digit as the digit.
const DIGITS = [..."0123456789¹²³"];
export const RESERVED: ReadonlySet<string> = new Set([
  "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$",
  ...DIGITS.map((digit) => `COM${digit}`),
  ...DIGITS.map((digit) => `LPT${digit}`),
]);
export const FORBIDDEN = '<>:"/\\|?*';
/** In UTF-8. Whatever fits has no more than 255 UTF-16 units either, since each of them takes a byte or more. */
export const MOST_BYTES = 255;
export const MOST_PATH_UNITS = 259;

const FORBIDDEN_CHARACTER = /[<>:"/\\|?*]/;
const CONTROL = /[\x00-\x1f]/;
const HALF = /\p{Cs}/u;
// Python ignores letter case by simple folding: the letters beside i, k and s are those that are equal to them there.
const [I, K, S] = ["[iI\u0130\u0131]", "[kK\u212a]", "[sS\u017f]"];
const NOT_SYNCED = new RegExp(
  `^(?:${BLANK_CLASS}|~\\$|\\.[lL][oO][cC]${K}$|[dD][eE]${S}${K}[tT][oO][pP]\\.${I}[nN]${I}$)|_[vV][tT]${I}_`,
);

/** Returns in one sentence why Windows cannot hold a file or folder of this name; empty if it can. */
export function windowsProblem(name: string): string {
  const dot = name.indexOf(".");
  const device = (dot < 0 ? name : name.slice(0, dot)).replace(/(?<! ) +$/, "").toUpperCase();
  const length = countBytes(name);
  if (!name) return "the name is empty";
  if (HALF.test(name)) return "the name is not valid Unicode text";
  if (CONTROL.test(name)) return "a control character or line break in the name";
  const forbidden = FORBIDDEN_CHARACTER.exec(name);
  if (forbidden) return `Windows forbids '${forbidden[0]}' in a name`;
  if (name.endsWith(".")) return "Windows takes the dot at the end of a name away";
  if (name.endsWith(" ")) return "Windows takes the blank at the end of a name away";
  if (RESERVED.has(device)) return `Windows reserves '${device}' for a device, with any extension`;
  if (length > MOST_BYTES) return `the name has ${length} bytes in UTF-8; file systems take ${MOST_BYTES}`;
  return "";
}

/** Returns in one sentence why some programs may not take a path, given with "/"; empty if nothing is known. */
export function windowsWarning(path: string): string {
  if (path.length > MOST_PATH_UNITS) {
    return `the path has ${path.length} characters from here on; many programs on Windows take ${MOST_PATH_UNITS}`;
  }
  return NOT_SYNCED.test(path.slice(path.lastIndexOf("/") + 1)) ? "OneDrive and SharePoint do not sync such a name" : "";
}

/** Returns the problem of a name, or its warning: none or one sentence. */
export function nameProblems(name: string): string[] {
  const problem = windowsProblem(name) || windowsWarning(name);
  return problem ? [problem] : [];
}

/** Returns how many bytes a text takes in UTF-8; a half of a pair takes three. */
export function countBytes(text: string): number {
  let bytes = 0;
  for (let at = 0; at < text.length; at += 1) {
    const point = text.codePointAt(at)!;
    if (point > 0xffff) at += 1;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return bytes;
}
