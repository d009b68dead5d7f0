/** Answers questions, a line of JSON each, with what the pages' code says: for the test that Python says the same. */

import { createInterface } from "node:readline";
import { planHandIn } from "../archive/model/handIn";
import { closestMatch } from "../shared/closeMatches";
import { FilterError, matches, parseFilter, type Filter, type FilterRow } from "../shared/filters";
import {
  filenameToJson, foldernameToJson, folderInZip, formatFilename, formatFoldername, looksLikeFolder, NamingError,
  parseFilename, parseFoldername, suggestFilename, suggestFoldername,
} from "../shared/naming";
import { caseFold, compareCodePoints, quoted, trim } from "../shared/pythonText";
import { compareRevisions, parseRevision } from "../shared/revision";
import { splitVisible, visibleText } from "../shared/visible";
import { windowsProblem, windowsWarning } from "../shared/windowsNames";

type Question = { readonly ask: string; readonly [key: string]: unknown };

let rows: readonly FilterRow[] = [];

function answer(question: Question): unknown {
  const text = question["text"] as string;
  switch (question.ask) {
    case "filename": {
      const read = parseFilename(text);
      return [filenameToJson(read), read.extensionAsWritten, suggestFilename(text), folderInZip(text)];
    }
    case "foldername":
      return [foldernameToJson(parseFoldername(text)), suggestFoldername(text), looksLikeFolder(text)];
    case "format filename":
      return written(() => formatFilename(question["parts"] as Parameters<typeof formatFilename>[0]));
    case "format foldername":
      return written(() => formatFoldername(question["parts"] as Parameters<typeof formatFoldername>[0]));
    case "revision":
      return parseRevision(text);
    case "revisions":
      return compareRevisions(text, question["other"] as string);
    case "windows":
      return [windowsProblem(text), windowsWarning(text)];
    case "text":
      return [caseFold(text), quoted(text), trim(text), visibleText(text), splitVisible(text).length];
    case "order":
      return compareCodePoints(text, question["other"] as string);
    case "close":
      return closestMatch(text, question["known"] as string[]);
    case "hand in": {
      const names = question["names"] as string[];
      const path = names.slice(1).join("/");
      const [file] = planHandIn(names[0]!, [{ path, name: names.at(-1)!, folder: names.slice(1, -1).join("/"), isFolder: false }]).files;
      return file ? [file.target === names.join("/"), file.reason === "", file.corrected] : null;
    }
    case "rows":
      rows = question["rows"] as FilterRow[];
      return rows.length;
    case "filter": {
      let filter: Filter;
      try {
        filter = parseFilter(text);
      } catch (error) {
        if (!(error instanceof FilterError)) throw error;
        return { start: error.start, end: error.end, message: error.message };
      }
      return rows.flatMap((row, at) => (matches(filter, row) ? [at] : []));
    }
    default:
      throw new Error(`${question.ask}: no such question`);
  }
}

function written(write: () => string): unknown {
  try {
    return write();
  } catch (error) {
    if (error instanceof NamingError) return { error: error.message };
    throw error;
  }
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  process.stdout.write(`${JSON.stringify(answer(JSON.parse(line) as Question))}\n`);
}
