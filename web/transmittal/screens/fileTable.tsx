/** The files of a transmittal that is being made. */
import { memo } from "preact/compat";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { JSX } from "preact";
import { fromDrop, fromInput } from "../../shared/files";
import { formatSize } from "../../shared/format";
import { addProblem, showToast } from "../../shared/messages";
import { STATUSES } from "../../shared/statuses";
import { visible } from "../../shared/visible";
import { addPlace, openFile, pickFiles, pickPlace } from "../loading";
import { editRow, isRenamed, nameOf, removeRows, takeCorrections, type Row, type RowField } from "../model/draft";
import { askToPaste, copyTable, pasteRows } from "../pasting";
import { change, draft, edited, notes, problems, selected, undo } from "../state";
import { text } from "../text";

const words = text.edit;
const FIELDS: readonly RowField[] = ["trackingNumber", "revision", "status", "title", "extension"];

export async function addFolder(): Promise<void> {
  const place = await pickPlace();
  if (place) await addPlace(place);
}

export async function addPicked(): Promise<void> {
  const files = await pickFiles();
  if (files.length) await addPlace(fromInput(files));
}

export function correctNames(): void {
  const { draft: next, count } = takeCorrections(draft.peek());
  if (!count) {
    addProblem(text.title, words.notCorrected);
    return;
  }
  change(next);
  showToast(words.corrected(count), undo);
}

export function removeSelected(): void {
  const ids = selected.peek();
  if (!ids.size) return;
  const count = draft.peek().rows.filter((row) => ids.has(row.id)).length;
  change(removeRows(draft.peek(), ids));
  selected.value = new Set();
  showToast(words.removed(count), undo);
}

export function FileTable(): JSX.Element {
  const { rows } = draft.value;
  const size = rows.reduce((sum, row) => sum + row.size, 0);
  const take = async (event: DragEvent) => {
    event.preventDefault();
    event.stopPropagation();
    const [only, ...others] = [...(event.dataTransfer?.files ?? [])];
    const dropped = await fromDrop(event);
    if (only && !others.length && only.name === "index.json") await openFile(only);
    else if (dropped) await addPlace(dropped);
  };
  return (
    <section
      class="card files"
      aria-labelledby="files-head"
      data-takes-drops
      onDrop={(event) => void take(event)}
      onPaste={(event) => {
        if ((event.target as Element).closest("input, textarea")) return;
        event.preventDefault();
        pasteRows(event.clipboardData?.getData("text/plain") ?? "", false);
      }}
    >
      <div class="files-head">
        <h2 id="files-head">{words.files}</h2>
        <span class="muted">{words.fileCount(rows.length, formatSize(size))}</span>
        <span class="buttons">
          <button type="button" onClick={() => void addFolder()}>
            {text.actions.addFolder}
          </button>
          <button type="button" onClick={() => void addPicked()}>
            {text.actions.addFiles}
          </button>
          <button type="button" onClick={askToPaste}>
            {text.actions.paste}
          </button>
          {rows.length > 0 && (
            <>
              <button type="button" onClick={() => void copyTable()}>
                {text.actions.copyTable}
              </button>
              {problems.value.rows.size > 0 && (
                <button type="button" onClick={correctNames}>
                  {text.actions.corrections}
                </button>
              )}
              <button type="button" disabled={selected.value.size === 0} onClick={removeSelected}>
                {text.actions.remove}
              </button>
            </>
          )}
        </span>
      </div>
      {rows.length === 0 ? <p class="drop-zone muted">{words.noFiles}</p> : <Rows rows={rows} />}
    </section>
  );
}

function Rows({ rows }: { rows: readonly Row[] }): JSX.Element {
  const chosen = selected.value;
  const found = problems.value.rows;
  const selectAll = (isOn: boolean) => (selected.value = new Set(isOn ? rows.map((row) => row.id) : []));
  return (
    <div class="scroll" tabIndex={0} role="group" aria-labelledby="files-head">
      <table class="rows">
        <thead>
          <tr>
            <th scope="col">
              <input type="checkbox" aria-label={words.selectAll} checked={rows.every((row) => chosen.has(row.id))} onChange={(event) => selectAll(event.currentTarget.checked)} />
            </th>
            {words.heads.slice(1, -1).map((head) => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
            <td />
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Line key={row.id} row={row} isChosen={chosen.has(row.id)} isEdited={edited.value === row.id} problems={found.get(row.id)?.join("; ") ?? ""} note={notes.value.get(row.id) ?? ""} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface LineProps {
  readonly row: Row;
  readonly isChosen: boolean;
  readonly isEdited: boolean;
  readonly problems: string;
  readonly note: string;
}

const Line = memo(function Line({ row, isChosen, isEdited, problems: reasons, note }: LineProps): JSX.Element {
  const name = visible(nameOf(row) || row.readName || row.trackingNumber);
  const toggle = () => {
    const next = new Set(selected.peek());
    if (!next.delete(row.id)) next.add(row.id);
    selected.value = next;
  };
  return (
    <tr class={reasons ? "has-problem" : ""}>
      <td>
        <input type="checkbox" aria-label={words.select(name)} checked={isChosen} onChange={toggle} />
      </td>
      {isEdited ? <Inputs row={row} /> : FIELDS.map((field) => <td key={field} class={`cell-${field}`} onDblClick={() => (edited.value = row.id)}>{visible(row[field])}</td>)}
      <td class="cell-file">
        {row.path && <span class="muted">{`${visible(row.path)}/`}</span>}
        <span>{name}</span>
        {isRenamed(row) && <span class="muted">{` (${words.renamed(visible(row.readName))})`}</span>}
        {reasons && <span class="reason bad">{visible(reasons)}</span>}
        {note && <span class="reason warn">{note}</span>}
      </td>
      <td class="number">{row.sha256 ? formatSize(row.size) : ""}</td>
      <td>{row.sha256 ? <code title={row.sha256}>{row.sha256.slice(0, 12)}</code> : <span class="muted">{words.noHash}</span>}</td>
      <td>
        <button type="button" class="quiet" aria-label={isEdited ? text.done : words.editRow(name)} onClick={() => (edited.value = isEdited ? 0 : row.id)}>
          {isEdited ? text.done : words.edit}
        </button>
      </td>
    </tr>
  );
});

function Inputs({ row }: { row: Row }): JSX.Element {
  const first = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => first.current?.focus(), []);
  const set = (field: RowField, value: string) => change(editRow(draft.peek(), row.id, { [field]: value }), `row-${row.id}-${field}`);
  const heads = words.heads;
  return (
    <>
      {FIELDS.map((field, at) => (
        <td key={field} class={`cell-${field}`}>
          {field === "status" ? (
            <select aria-label={heads[at + 1]} value={row.status} onChange={(event) => set(field, event.currentTarget.value)}>
              <option />
              {[...STATUSES.keys()].map((code) => (
                <option key={code}>{code}</option>
              ))}
            </select>
          ) : (
            <input
              type="text"
              ref={at === 0 ? first : null}
              aria-label={heads[at + 1]}
              value={row[field]}
              onInput={(event) => set(field, event.currentTarget.value)}
              onKeyDown={(event) => {
                if (event.key === "Enter" || event.key === "Escape") {
                  event.stopPropagation();
                  event.preventDefault();
                  edited.value = 0;
                }
              }}
            />
          )}
        </td>
      ))}
    </>
  );
}
