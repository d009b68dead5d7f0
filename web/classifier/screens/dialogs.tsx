/** What is asked before files are renamed, and what is told after. */
import type { JSX } from "preact";
import { folderOf, nameOf } from "../../shared/files/place";
import { closeDialog, formatTime, Modal } from "../../shared/shell";
import { visible } from "../../shared/visible";
import { countNamed, type Journal } from "../model/journal";
import type { PlanLine } from "../model/plan";
import type { Finish } from "../model/run";
import { apply, askToApply, canRename, closeAnd, resolve, savePlan, undoAll, unfinished } from "../renaming";
import { model, runs } from "../state";
import { text } from "../text";

const MOST_EXAMPLES = 5;
const MOST_WARNINGS = 50;
const MOST_REASONS = 200;

export function ApplyDialog({ lines }: { lines: readonly PlanLine[] }): JSX.Element {
  const warnings = lines.filter((line) => line.warning);
  const folders = new Set(lines.map((line) => folderOf(line.path))).size;
  const checks = model.peek()?.checks;
  const refused = ["incomplete", "convention", "windows", "clash", "twins"] as const;
  const notReady = refused.reduce((sum, kind) => sum + (checks?.count(kind) ?? 0), 0);
  return (
    <Modal title={text.applyHead} class="wide-modal">
      <p>
        <b>{text.applyCount(lines.length, folders)}</b> {notReady > 0 && text.applyRefused(notReady)}
      </p>
      {canRename() ? <p class="muted">{text.applyJournal}</p> : <p class="notice warn">{text.cannotWrite}</p>}
      {warnings.length > 0 && (
        <>
          <p class="warn">{text.applyWarnings(warnings.length)}</p>
          <ul class="reasons" tabIndex={0} aria-label={text.applyWarnings(warnings.length)}>
            {warnings.slice(0, MOST_WARNINGS).map((line) => (
              <li key={line.path}>
                <span class="breaks">{visible(line.newName)}</span>
                <span class="muted">{visible(line.warning)}</span>
              </li>
            ))}
          </ul>
        </>
      )}
      <h3>{text.applyExamples}</h3>
      <ul class="reasons" tabIndex={0} aria-label={text.applyExamples}>
        {lines.slice(0, MOST_EXAMPLES).map((line) => (
          <li key={line.path}>
            <span class="muted breaks">{visible(nameOf(line.path))}</span>
            <span class="breaks">→ {visible(line.newName)}</span>
          </li>
        ))}
      </ul>
      <p class="buttons">
        <button type="button" onClick={closeDialog}>
          {text.close}
        </button>
        <button type="button" class={canRename() ? "" : "primary"} autofocus={!canRename()} onClick={closeAnd(savePlan)}>
          {text.actions.plan}
        </button>
        {canRename() && (
          <button type="button" class="primary" autofocus onClick={closeAnd(apply)}>
            {text.applyDo}
          </button>
        )}
      </p>
    </Modal>
  );
}

export function ResultDialog({ finish }: { finish: Finish }): JSX.Element {
  const renamed = finish.results.filter((one) => one.outcome === "renamed").length;
  const others = finish.results.filter((one) => one.outcome !== "renamed");
  const canRetry = !finish.stopped && others.some((one) => one.canRetry);
  const journal = finish.stopped ? finish.journal : null;
  return (
    <Modal title={text.resultHead} class="wide-modal">
      <p>
        <b class="good">{text.resultCount(renamed)}</b> {others.length > 0 && <b class="bad">{text.resultNot(others.length)}</b>}
      </p>
      {finish.stopped && <p class="notice bad breaks">{text.resultStopped(visible(finish.stopped))}</p>}
      {others.length > 0 && (
        <ul class="reasons" tabIndex={0} aria-label={text.resultNot(others.length)}>
          {others.slice(0, MOST_REASONS).map((one) => (
            <li key={one.path}>
              <span class="breaks">{visible(one.path)}</span>
              <span class="bad">{visible(one.reason)}</span>
            </li>
          ))}
        </ul>
      )}
      <p class="buttons">
        {journal && (
          <button type="button" onClick={closeAnd(() => resolve(journal, "complete"))}>
            {text.resultGoOn}
          </button>
        )}
        {renamed > 0 && (
          <button type="button" onClick={closeAnd(undoAll)}>
            {text.resultUndo}
          </button>
        )}
        {canRetry && (
          <button type="button" onClick={closeAnd(askToApply)}>
            {text.resultRetry}
          </button>
        )}
        <button type="button" class="primary" autofocus onClick={closeDialog}>
          {text.close}
        </button>
      </p>
    </Modal>
  );
}

export function UndoDialog(): JSX.Element {
  const count = runs.value.reduce((sum, { typed }) => sum + typed.size, 0);
  return (
    <Modal title={text.undoAllHead}>
      <p>{text.undoAllBody(count)}</p>
      <p class="buttons">
        <button type="button" onClick={closeDialog}>
          {text.close}
        </button>
        <button type="button" class="primary" autofocus onClick={closeAnd(undoAll)}>
          {text.resultUndo}
        </button>
      </p>
    </Modal>
  );
}

export function InterruptedDialog(): JSX.Element {
  const [journal] = unfinished.value;
  if (!journal) return <Modal title={text.interruptedHead}>{null}</Modal>;
  const done = journal.position;
  return (
    <Modal title={text.interruptedHead}>
      <p>{text.interruptedBody(timeOf(journal), done, journal.steps.length)}</p>
      <p class="buttons">
        <button type="button" onClick={closeDialog}>
          {text.later}
        </button>
        <button type="button" onClick={closeAnd(() => resolve(journal, "undo"))}>
          {text.takeBack}
        </button>
        <button type="button" class="primary" autofocus onClick={closeAnd(() => resolve(journal, "complete"))}>
          {text.finish}
        </button>
      </p>
    </Modal>
  );
}

export function JournalsDialog({ journals }: { journals: readonly Journal[] }): JSX.Element {
  return (
    <Modal title={text.journalsHead}>
      <ul class="reasons journals">
        {journals.map((journal) => (
          <li key={journal.name}>
            <span>{text.journalLine(timeOf(journal), countNamed(journal.steps))}</span>
            <button type="button" onClick={closeAnd(() => resolve(journal, "undo"))}>
              {text.takeBack}
            </button>
          </li>
        ))}
      </ul>
    </Modal>
  );
}

function timeOf(journal: Journal): string {
  return formatTime(Date.parse(journal.created)) || visible(journal.name);
}
