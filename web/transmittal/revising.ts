/** Makes a new draft from a published transmittal, which stays as it is. */
import { joinPath } from "../shared/files/place";
import { isAcknowledgement } from "../shared/transmittal/delivery";
import { placeOfFile, stateOf } from "../shared/transmittal/data";
import { nameOf, reviseOf } from "./model/draft";
import { begin, goTo, loaded } from "./state";
import { toListed } from "./model/draft";

/** Takes over all but the digest and the signatures; the files are those that were verified. */
export function revise(): void {
  const opened = loaded.peek();
  if (!opened || stateOf(opened.page.transmittal) === "draft" || isAcknowledgement(opened.page)) return;
  const verified = new Set(opened.report?.findings.filter((one) => one.kind === "verified").map((one) => one.path));
  const made = reviseOf(opened.page.transmittal);
  const rows = made.rows.map((row) => {
    const where = placeOfFile(toListed(row));
    if (!opened.place || !verified.has(where)) return row;
    return { ...row, source: { place: opened.place, path: joinPath(opened.folder, joinPath(row.path, nameOf(row))) } };
  });
  begin({ ...made, rows }, opened.place);
  goTo("edit");
}
