/** Two versions of a text side by side, line by line. */
import type { JSX } from "preact";
import { compareTexts, type ComparedLine, type Piece } from "../../archive/model/compare";
import { Modal, openDialog, closeDialog } from "../../shared/shell";
import { visibleText } from "../../shared/visible";
import { bytesOf, nameOf, type OpenDocument } from "../state";
import { decodeBytes, isSame } from "../model/bytes";
import { text } from "../text";
import { visible } from "../../shared/visible";

const AROUND = 2;
const MOST_ROWS = 2_000;

interface Versions {
  readonly old: Uint8Array;
  readonly now: Uint8Array;
  readonly oldLabel: string;
  readonly nowLabel: string;
}

export function Differences({ old, now, oldLabel, nowLabel }: Versions): JSX.Element {
  if (isSame(old, now)) return <p class="muted">{text.differences.none}</p>;
  const found = compareTexts(decodeBytes(old).text, decodeBytes(now).text);
  if (!found) return <p class="muted">{text.differences.tooLong}</p>;
  if (!found.added && !found.removed && !found.changed) return <p class="muted">{text.differences.onlyEnds}</p>;
  const parts = partsOf(found.lines).slice(0, MOST_ROWS);
  return (
    <>
      <p>{text.differences.counts(found.added, found.removed, found.changed)}</p>
      <div class="diff-frame" tabIndex={0} role="region" aria-label={text.differences.head}>
        <table class="diff" aria-label={text.differences.head}>
          <thead>
            <tr>
              <th scope="col" class="line-number"><span class="visually-hidden">{text.differences.line}</span></th>
              <th scope="col">{oldLabel}</th>
              <th scope="col" class="line-number"><span class="visually-hidden">{text.differences.line}</span></th>
              <th scope="col">{nowLabel}</th>
            </tr>
          </thead>
          <tbody>
            {parts.map((part, n) =>
              typeof part === "number" ? (
                <tr key={n} class="skipped">
                  <td colSpan={4}>{text.differences.skipped(part)}</td>
                </tr>
              ) : (
                <tr key={n} class={`is-${part.kind}`}>
                  <td class="number">{part.oldNumber}</td>
                  <td><Pieces pieces={part.old} tag="del" /></td>
                  <td class="number">{part.newNumber}</td>
                  <td><Pieces pieces={part.new} tag="ins" /></td>
                </tr>
              ),
            )}
          </tbody>
        </table>
      </div>
    </>
  );
}

function Pieces({ pieces, tag: Tag }: { pieces: readonly Piece[] | null; tag: "del" | "ins" }): JSX.Element {
  return <>{pieces?.map((one, n) => (one.isChanged ? <Tag key={n}>{visibleText(one.text)}</Tag> : visibleText(one.text)))}</>;
}

/** The lines that differ, with some around them; a number stands for as many equal lines. */
function partsOf(lines: readonly ComparedLine[]): (ComparedLine | number)[] {
  const isNear = new Uint8Array(lines.length);
  lines.forEach((line, at) => {
    if (line.kind !== "same") isNear.fill(1, Math.max(0, at - AROUND), at + AROUND + 1);
  });
  const parts: (ComparedLine | number)[] = [];
  let skipped = 0;
  lines.forEach((line, at) => {
    if (!isNear[at]) {
      skipped += 1;
      return;
    }
    if (skipped) parts.push(skipped);
    skipped = 0;
    parts.push(line);
  });
  if (skipped) parts.push(skipped);
  return parts;
}

/** Shows what differs between the saved text and the text now. */
export function openDifferences(document: OpenDocument): void {
  const old = document.disk?.bytes ?? new Uint8Array();
  const now = bytesOf(document);
  openDialog(() => (
    <Modal title={`${text.differences.head}: ${visible(nameOf(document.path))}`} class="wide-modal">
      <Differences old={old} now={now} oldLabel={text.differences.saved} nowLabel={text.differences.now} />
      <p class="buttons">
        <button type="button" data-first onClick={() => closeDialog()}>{text.differences.close}</button>
      </p>
    </Modal>
  ));
}
