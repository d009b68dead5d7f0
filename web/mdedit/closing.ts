/** Closes documents, and takes them back to what was saved; what would be lost is asked about. */
import { askConfirm } from "../shared/shell";
import { visible } from "../shared/visible";
import { forgetDraft } from "./drafts";
import { takeVersion } from "./opening";
import { forgetDocument, isUnsaved, nameOf, type OpenDocument } from "./state";
import { text } from "./text";

export async function closeDocument(document: OpenDocument): Promise<void> {
  const name = visible(nameOf(document.path));
  if (isUnsaved(document) && !(await askConfirm(text.discard.head, text.discard.question(name), text.discard.yes))) return;
  // In this order: what waits to be kept is of a document that is open.
  forgetDocument(document);
  await forgetDraft(document.path);
}

export async function revertDocument(document: OpenDocument): Promise<void> {
  if (!document.disk || !isUnsaved(document)) return;
  const name = visible(nameOf(document.path));
  if (!(await askConfirm(text.discard.revertHead, text.discard.revertQuestion(name), text.discard.revertYes))) return;
  takeVersion(document, document.disk);
}
