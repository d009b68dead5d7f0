/** Opens a place and shows its files. */
import { type Place, fromPicker, fromDrop, fromInput } from "../shared/files";
import { reasonOf } from "../shared/files/place";
import { rightOpen } from "../shared/folderShell";
import { addProblem, askConfirm, clearProblems, setFragment, showToast, status } from "../shared/shell";
import { readPlace, readStates } from "./reading";
import { lookForUnfinished } from "./renaming";
import { disk, folder, model, place, reading, showRead, work } from "./state";
import { text } from "./text";

let current: AbortController | null = null;

/** From this width on, the preview stands beside the sheet from the start. */
const WIDE = 1500;

/** Ask before what is typed, and not renamed yet, is lost; gives whether another folder may be opened. */
async function mayForget(): Promise<boolean> {
  const count = model.peek()?.sheet.typedRows().length ?? 0;
  return !count || askConfirm(text.forgetHead, text.forgetQuestion(count), text.forgetYes);
}

/** Read a place and show it; of the same place, what was typed stays. */
export async function openPlace(next: Place): Promise<void> {
  if (work.peek()) {
    showToast(text.busy);
    return;
  }
  current?.abort();
  const mine = new AbortController();
  current = mine;
  clearProblems();
  disk.value = null;
  reading.value = 0;
  try {
    const read = await readPlace(next, {
      signal: mine.signal,
      onProblem: addProblem,
      onProgress: (files) => (reading.value = files),
    });
    mine.signal.throwIfAborted();
    if (work.peek()) {
      showToast(text.busy); // renames were begun while this was read
      return;
    }
    const isSamePlace = next === place.peek();
    place.value = next;
    if (folder.peek() && !read.names.has(folder.peek())) setFragment({ folder: null });
    if (!model.peek() && innerWidth >= WIDE) rightOpen.value = true;
    showRead(read, isSamePlace);
    const shown = model.peek();
    status.value = text.read(read.files.length, shown?.checks.count("open") ?? 0);
    reading.value = null;
    await lookForUnfinished();
    if (next.handle && shown) {
      const paths = shown.sheet.rows.map((row) => row.path);
      const take = (at: number, size: number, modified: number) => {
        const row = shown.sheet.rows[at];
        if (row && row.path === paths[at]) Object.assign(row, { size, modified });
      };
      await readStates(next, paths, take, mine.signal);
    }
  } catch (error) {
    if (!mine.signal.aborted) addProblem(next.name, reasonOf(error));
  } finally {
    if (current === mine) reading.value = null;
  }
}

export async function pick(): Promise<void> {
  const picked = await fromPicker();
  if (picked && (await mayForget())) await openPlace(picked);
}

export async function drop(event: DragEvent): Promise<void> {
  const dropped = await fromDrop(event);
  if (dropped && (await mayForget())) await openPlace(dropped);
}

export async function takeFiles(files: FileList): Promise<void> {
  if (files.length && (await mayForget())) await openPlace(fromInput(files));
}
