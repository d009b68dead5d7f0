/** The names that a document can be saved under, by the convention. */
import { formatFilename, type NameFields, NamingError, parseFilename } from "../../shared/naming";
import { DATE, parseRevision } from "../../shared/revision";
import { windowsProblem } from "../../shared/windowsNames";

/** Returns the revision after one, without drafts and modifiers; null for a revision that nothing follows. */
export function nextRevision(revision: string, today: string): string | null {
  const { base } = parseRevision(revision);
  if (DATE.test(base)) return today > base ? today : null;
  if (/^[A-Za-z]+$/.test(base)) return nextLetters(base);
  const number = /^((?:[0-9]+\.)?)([0-9]{1,15})$/.exec(base);
  if (!number) return null;
  return `${number[1]}${String(Number(number[2]) + 1).padStart(number[2]!.length, "0")}`;
}

/** As the columns of a spreadsheet: after Z comes AA. */
function nextLetters(base: string): string {
  const first = base === base.toLowerCase() ? "a" : "A";
  const letters = [...base];
  for (let at = letters.length - 1; at >= 0; at -= 1) {
    if (letters[at]!.toLowerCase() !== "z") {
      letters[at] = String.fromCharCode(letters[at]!.charCodeAt(0) + 1);
      return letters.join("");
    }
    letters[at] = first;
  }
  return `${first}${letters.join("")}`;
}

/** Returns the name of the next draft of a document that was issued; null for a draft and for other names. */
export function nextDraftName(name: string, today: string): string | null {
  const read = parseFilename(name);
  if (!read.valid || parseRevision(read.revision).isDraft) return null;
  const next = nextRevision(read.revision, today);
  return next && write({ ...read, revision: `~${next}`, extension: read.extensionAsWritten }).name;
}

/** Returns the name that a draft has when it is issued; null for what is no draft. */
export function issuedName(name: string): string | null {
  const read = parseFilename(name);
  if (!read.valid || !parseRevision(read.revision).isDraft) return null;
  return write({ ...read, revision: read.revision.slice(1), extension: read.extensionAsWritten }).name;
}

/** Returns the name of these parts, or why there is none. */
export function write(fields: NameFields): { readonly name: string; readonly problem: "" } | { readonly name: null; readonly problem: string } {
  try {
    const name = formatFilename(fields);
    const problem = windowsProblem(name);
    return problem ? { name: null, problem } : { name, problem: "" };
  } catch (error) {
    if (error instanceof NamingError) return { name: null, problem: error.message };
    throw error;
  }
}

/** Returns a name with a note before its extension: "Minutes (their version 1).md". */
export function nameWithNote(name: string, note: string): string {
  const dot = name.lastIndexOf(".");
  return dot > 0 ? `${name.slice(0, dot)} (${note})${name.slice(dot)}` : `${name} (${note})`;
}

const MARKDOWN = /\.(?:md|markdown|mdown|mkd)$/i;

export function isMarkdown(name: string): boolean {
  return MARKDOWN.test(name);
}
