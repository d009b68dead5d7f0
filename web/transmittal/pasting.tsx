/** Rows from and to a spreadsheet. */
import { useState } from "preact/hooks";
import type { JSX } from "preact";
import { closeDialog, Modal, openDialog } from "../shared/dialogs";
import { addProblem, copyText, showToast } from "../shared/messages";
import { formatData } from "../shared/transmittal/writing";
import { makePayload } from "../shared/transmittal/writing";
import { NamingError } from "../shared/naming";
import { formatHtmlTable } from "../classifier/model/tsv";
import { addPasted, presentationOf, toListed } from "./model/draft";
import { cellsOf, formatRows, parsePaste, PasteError } from "./model/paste";
import { change, draft, inHand, undo } from "./state";
import { filesOf } from "../shared/transmittal/data";
import { text } from "./text";

const words = text.edit;

/** Adds the rows of a text to the list, or puts them in its place. */
export function pasteRows(source: string, replace: boolean): boolean {
  try {
    const rows = parsePaste(source, words.wrongColumns);
    if (!rows.length) throw new PasteError(words.nothingPasted);
    change(addPasted(draft.peek(), rows, replace));
    showToast(words.pasted(rows.length), undo);
    return true;
  } catch (error) {
    if (!(error instanceof PasteError)) throw error;
    addProblem(text.actions.paste, error.message);
    return false;
  }
}

export function askToPaste(): void {
  openDialog(PasteDialog);
}

function PasteDialog(): JSX.Element {
  const [source, setSource] = useState("");
  const paste = (replace: boolean) => {
    closeDialog();
    pasteRows(source, replace);
  };
  return (
    <Modal title={words.pasteHead} class="wide-modal">
      <p id="paste-hint">{words.pasteHint}</p>
      <textarea data-first class="paste" rows={10} aria-labelledby="paste-hint" value={source} onInput={(event) => setSource(event.currentTarget.value)} />
      <p class="buttons">
        <button type="button" onClick={closeDialog}>
          {text.cancel}
        </button>
        <button type="button" disabled={!source.trim()} onClick={() => paste(true)}>
          {words.pasteReplace}
        </button>
        <button type="button" class="primary" disabled={!source.trim()} onClick={() => paste(false)}>
          {words.pasteAppend}
        </button>
      </p>
    </Modal>
  );
}

function shownFiles() {
  const opened = inHand.peek();
  return opened ? filesOf(opened.page.transmittal) : draft.peek().rows.map(toListed);
}

/** Puts the list into the clipboard, as a text and as a table. */
export async function copyTable(): Promise<void> {
  const files = shownFiles();
  const plain = formatRows(files);
  const heads = plain.slice(0, plain.indexOf("\r\n")).split("\t");
  try {
    const kinds = { "text/plain": plain, "text/html": formatHtmlTable([heads, ...cellsOf(files)]) };
    const blobs = Object.entries(kinds).map(([type, data]) => [type, new Blob([data], { type })] as const);
    await navigator.clipboard.write([new ClipboardItem(Object.fromEntries(blobs))]);
    showToast(words.tableCopied);
  } catch {
    await copyText(plain, words.tableCopied);
  }
}

/** Puts the data of what is shown into the clipboard. */
export async function copyData(): Promise<void> {
  const opened = inHand.peek();
  if (opened) {
    await copyText(formatData(opened.page.transmittal), words.dataCopied);
    return;
  }
  const given = draft.peek();
  try {
    const payload = makePayload(given.fields, given.rows.map(toListed), { draft: true });
    await copyText(formatData({ payload, envelope: new Map(), presentation: presentationOf(given) }), words.dataCopied);
  } catch (error) {
    if (!(error instanceof NamingError)) throw error;
    addProblem(text.title, text.errors.noName(error.message));
  }
}
