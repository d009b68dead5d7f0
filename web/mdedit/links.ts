/** What a link of a document leads to. */
import { reasonOf } from "../shared/files/place";
import { download } from "../shared/save";
import { addProblem, showToast } from "../shared/shell";
import { isMarkdown } from "./model/names";
import { documents, entries, nameOf, place } from "./state";
import { text } from "./text";

/** Returns whether a path is a document of this page; gives the person a copy of any other file. */
export async function openOther(path: string): Promise<boolean> {
  if (documents.peek().has(path)) return true;
  if (!entries.peek().some((one) => one.path === path && !one.isFolder)) {
    addProblem(path, text.link.absent(path));
    return false;
  }
  if (isMarkdown(path)) return true;
  try {
    const file = await place.peek()!.open(path);
    download(nameOf(path), file.slice(0, file.size, "application/octet-stream"));
    showToast(text.link.other(path));
  } catch (error) {
    addProblem(path, reasonOf(error));
  }
  return false;
}
