/** In the middle: how to begin, then the sheet with what can be done to it. */
import { effect } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { canPick } from "../../shared/files";
import { FOLDER, Icon } from "../../shared/icons";
import { openDialog, recall, remember } from "../../shared/shell";
import { Start } from "../../shared/start";
import { visible } from "../../shared/visible";
import * as editing from "../editing";
import { pick, takeFiles } from "../loading";
import type { Column } from "../model/columns";
import { isField } from "../model/columns";
import { askToApply, askToUndo, unfinished } from "../renaming";
import {
  current,
  isStale,
  model,
  range,
  reading,
  runs,
  sortBy,
  sorting,
  updateView,
  verdictText,
  version,
  view,
  work,
} from "../state";
import { text } from "../text";
import type { Cell } from "../view/sheetRows";
import { SheetView } from "../view/sheetView";
import { InterruptedDialog } from "./dialogs";

/** The sheet that is on the screen, for actions from elsewhere. */
export let sheetView: SheetView | null = null;

export function Middle(): JSX.Element {
  if (reading.value !== null && !model.value) return <p class="empty">{text.reading(reading.value)}</p>;
  if (!model.value) return <Empty />;
  return (
    <div class="classifier">
      <h1 class="visually-hidden">{text.title}</h1>
      <Tools />
      <CurrentRow />
      <Sheet />
    </div>
  );
}

function Empty(): JSX.Element {
  return (
    <Start words={text}>
      {canPick() ? (
        <button type="button" class="primary" autofocus onClick={() => void pick()}>
          <Icon shape={FOLDER} />
          {text.pick}
        </button>
      ) : (
        <FolderInput />
      )}
    </Start>
  );
}

function FolderInput(): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={input}
        type="file"
        hidden
        multiple
        {...{ webkitdirectory: true }}
        onChange={(event) => {
          const { files } = event.currentTarget;
          if (files) void takeFiles(files);
        }}
      />
      <button type="button" class="primary" autofocus onClick={() => input.current?.click()}>
        <Icon shape={FOLDER} />
        {text.pickFiles}
      </button>
    </>
  );
}

/** A button of the tools gives the focus back to where the work goes on. */
function thenToSheet(act: () => void): () => void {
  return () => {
    act();
    sheetView?.focus();
  };
}

function Tools(): JSX.Element {
  void version.value;
  const shown = model.value!;
  const busy = work.value;
  const ready = shown.checks.count("ready");
  const corrections = shown.checks.count("correctable");
  return (
    <div class="tools">
      {busy ? (
        <div class="work" role="group" aria-label={busy.label}>
          <b>{busy.label}</b>
          <progress value={busy.done} max={Math.max(busy.all, 1)} aria-label={busy.label} />
          <span class="number">{busy.note ? visible(busy.note) : text.progress(busy.done, busy.all)}</span>
          <button type="button" disabled={busy.stop?.signal.aborted} onClick={() => (busy.stop?.abort(), (work.value = { ...busy, note: text.stopping }))}>
            {text.stop}
          </button>
        </div>
      ) : (
        <div class="buttons">
          <button type="button" class="primary" disabled={!ready} onClick={askToApply}>
            {text.apply(ready)}
          </button>
          {corrections > 0 && (
            <button type="button" onClick={thenToSheet(editing.takeCorrections)}>
              {text.takeCorrections(corrections)}
            </button>
          )}
          <button type="button" class="quiet" disabled={!shown.sheet.undoLabel} title={text.actions.undo} onClick={thenToSheet(editing.undo)}>
            {text.undoShort}
          </button>
          <button type="button" class="quiet" disabled={!shown.sheet.redoLabel} title={text.actions.redo} onClick={thenToSheet(editing.redo)}>
            {text.redoShort}
          </button>
          {runs.value.length > 0 && (
            <button type="button" onClick={askToUndo}>
              {text.resultUndo}
            </button>
          )}
        </div>
      )}
      <span class="grow" />
      {isStale.value && (
        <button type="button" class="quiet" title={text.stale} onClick={thenToSheet(updateView)}>
          {text.refresh}
        </button>
      )}
      <span class="muted number" role="status">
        {text.shown(view.value.length, shown.sheet.rows.length)}
        {selectedText()}
      </span>
      {unfinished.value.length > 0 && (
        <p class="notice warn">
          <span class="grow">{text.unfinished}</span>
          <button type="button" onClick={() => openDialog(InterruptedDialog)}>
            {text.unfinishedOpen}
          </button>
        </p>
      )}
    </div>
  );
}

/** The row that is worked on in full, since the cells of the sheet cut long names. */
function CurrentRow(): JSX.Element | null {
  void version.value;
  const shown = model.value!;
  const row = current.value;
  if (row === null || !shown.sheet.rows[row]) return null;
  const newName = shown.sheet.newName(row);
  const { name, folder } = shown.sheet.row(row);
  const said = verdictText(shown.checks, row);
  const { isReady } = shown.checks.verdict(row);
  return (
    <p class="current-row" role="group" aria-label={text.currentRow}>
      <span class="muted breaks">
        {folder && `${visible(folder)}/`}
        <b>{visible(name)}</b>
      </span>
      {newName !== name && <span class="breaks new-name">→ {visible(newName)}</span>}
      {said && <span class={`breaks ${isReady ? "warn" : "bad"}`}>{visible(said)}</span>}
    </p>
  );
}

function selectedText(): string {
  const { top, bottom, left, right } = range.value;
  const cells = (bottom - top + 1) * (right - left + 1);
  return cells > 1 ? `; ${text.selected(cells)}` : "";
}

function cellOf(at: number, column: Column): Cell {
  const shown = model.peek()!;
  const row = view.peek()[at]!;
  const { sheet, checks } = shown;
  if (column === "verdict") {
    const { problem, warnings, isReady, kinds } = checks.verdict(row);
    const said = verdictText(checks, row);
    if (isReady) return cell(said, warnings.length ? `! ${said}` : `✓ ${text.readyWord}`, warnings.length ? "warn" : "good");
    if (!problem) return cell("", text.good, "plain");
    return kinds.includes("open") ? cell(said, problem, "open") : cell(said, `✗ ${problem}`, "bad");
  }
  const value = sheet.text(row, column);
  if (isField(column)) return cell(value, value, sheet.isTyped(row, column) ? "typed" : "read");
  return cell(value, value, column === "newName" && sheet.isChanged(row) ? "new" : "plain");
}

function cell(value: string, shown: string, kind: Cell["kind"]): Cell {
  return { text: value, shown: visible(shown), kind };
}

function Sheet(): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const made = new SheetView({
      rowCount: () => view.peek().length,
      cell: cellOf,
      commit: editing.commit,
      suggest: editing.suggest,
      moved: (at, selected) => {
        range.value = selected;
        current.value = view.peek()[at.row] ?? null;
      },
      copy: editing.copy,
      cut: editing.cut,
      paste: (selected, written) => made.select(editing.paste(selected, written)),
      clear: editing.clear,
      fillDown: editing.fillRangeDown,
      fillRight: editing.fillRangeRight,
      series: editing.fillRangeSeries,
      undo: editing.undo,
      redo: editing.redo,
      sort: sortBy,
      widths: () => recall("classifier-widths"),
      keepWidths: (widths) => remember("classifier-widths", widths),
      sorting: (column) => {
        const found = sorting.peek().find((one) => one.column === column);
        return !found ? "none" : found.isDown ? "descending" : "ascending";
      },
    });
    sheetView = made;
    host.current?.append(made.element);
    const stop = effect(() => {
      void version.value;
      void view.value;
      made.redraw();
    });
    current.value = view.peek()[made.at.row] ?? null;
    range.value = made.range;
    made.focus();
    return () => {
      stop();
      made.destroy();
      made.element.remove();
      sheetView = null;
    };
  }, []);
  return (
    <div class="sheet-host" ref={host}>
      {view.value.length === 0 && <p class="empty no-rows">{text.noRows}</p>}
    </div>
  );
}

