/** The ways into the page: a picker, a drop, an input, and the server that the page came from. */
import { canPick, fromDrop, fromInput, fromPicker, fromServer, fromZip } from "../shared/files";
import { reasonOf } from "../shared/files/place";
import { isServed } from "../shared/served";
import { addProblem, fragment } from "../shared/shell";
import { forgetView, openIndexFile, openPlace } from "./loading";
import { place, servedFolder } from "./state";
import { text } from "./text";

/** Ask for a folder where the browser can, else by an input element. */
export async function openPicked(): Promise<void> {
  if (!canPick()) {
    pickFiles((files) => openFolder(files), true);
    return;
  }
  const picked = await fromPicker();
  if (!picked) return;
  forgetBefore();
  await openPlace(picked);
}

/** Ask for an index or a zip. */
export function openByFile(): void {
  pickFiles((files) => openFile(files[0]!), false);
}

export async function openPickedFiles(input: HTMLInputElement): Promise<void> {
  const file = input.files?.[0];
  input.value = "";
  if (file) await openFile(file);
}

export async function openPickedFolder(input: HTMLInputElement): Promise<void> {
  const files = [...(input.files ?? [])];
  input.value = "";
  if (files.length) await openFolder(files);
}

/** Open what is dropped anywhere on the page, unless a part of the page takes it for itself. */
export function followDrops(): void {
  addEventListener("drop", (event) => {
    if ((event.target as Element | null)?.closest?.("[data-takes-drops]")) return;
    event.preventDefault();
    void openDropped(event);
  });
}

async function openDropped(event: DragEvent): Promise<void> {
  const files = [...(event.dataTransfer?.files ?? [])];
  const only = files.length === 1 ? files[0]! : null;
  // Asked now: later the event has forgotten what was dropped.
  const hasFiles = event.dataTransfer?.types.includes("Files") ?? false;
  const dropped = await fromDrop(event);
  if (dropped?.kind === "local") {
    forgetBefore();
    await openPlace(dropped);
  } else if (only && /\.(json|zip)$/i.test(only.name)) await openFile(only);
  else if (dropped && files.length) {
    forgetBefore();
    await openPlace(dropped);
  } else if (hasFiles) addProblem(text.title, text.errors.nothingDropped);
}

async function openFile(file: File): Promise<void> {
  forgetBefore();
  if (!/\.zip$/i.test(file.name)) {
    await openIndexFile(file);
    return;
  }
  try {
    await openPlace(await fromZip(file));
  } catch (error) {
    addProblem(text.errors.cannotOpen(file.name), reasonOf(error));
  }
}

async function openFolder(files: readonly File[]): Promise<void> {
  forgetBefore();
  await openPlace(fromInput(files));
}

/** What a link to a view says stays for the first folder that is opened; for another it means nothing. */
function forgetBefore(): void {
  if (place.peek()) forgetView();
}

/** Open the folder of the server that the page came from. */
export async function openServed(): Promise<void> {
  // Who may only hand in can read nothing around, and has no folder that could be opened.
  const isHandInOnly = fragment.peek().has("to") && location.pathname.startsWith("/_tools/");
  if (isServed() && !isHandInOnly) await openPlace(fromServer(servedFolder(location, fragment.peek())));
}

function pickFiles(then: (files: File[]) => Promise<void>, isFolder: boolean): void {
  const input = document.createElement("input");
  input.type = "file";
  input.webkitdirectory = isFolder;
  input.addEventListener("change", () => {
    const files = [...(input.files ?? [])];
    if (files.length) void then(files);
  });
  input.click();
}
