/** Rules for many rows at once: split the old names by a pattern, find and replace in one column. */
import { useSignal, type Signal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect } from "preact/hooks";
import { setFragment } from "../../shared/shell";
import { FIELDS, type Column } from "../model/columns";
import { PatternError } from "../model/patterns";
import { applyReplacement, applySplit, rowsOfRule } from "../editing";
import { evaluateReplacement, evaluateSplit } from "../rules/evaluate";
import { model, pattern, range, version, view } from "../state";
import { columnNames, text } from "../text";

const WAIT_MS = 200;

interface Outcome {
  readonly message: string;
  readonly isBad: boolean;
}
const NOTHING: Outcome = { message: "", isBad: false };

/** Work something out when nothing has changed for a moment, and tell what came of it. */
function useOutcome(work: () => Promise<string> | null, inputs: readonly unknown[]): Outcome {
  const outcome = useSignal<Outcome>(NOTHING);
  useEffect(() => {
    let isWanted = true;
    const timer = setTimeout(() => {
      const asked = work();
      if (!asked) {
        outcome.value = NOTHING;
        return;
      }
      asked.then(
        (message) => isWanted && (outcome.value = { message, isBad: false }),
        (error: unknown) => isWanted && (outcome.value = { message: messageOf(error), isBad: true }),
      );
    }, WAIT_MS);
    return () => {
      isWanted = false;
      clearTimeout(timer);
    };
  }, inputs);
  return outcome.value;
}

function messageOf(error: unknown): string {
  if (error instanceof PatternError) return error.message;
  throw error;
}

interface RuleProps {
  /** The rows that the rule is for, and whether they are all that are shown. */
  readonly rows: readonly number[];
  readonly isAll: boolean;
  readonly outcome: Outcome;
  /** Names what is said of the outcome, for the field that it is about. */
  readonly outcomeId: string;
  readonly button: string;
  readonly isReady: boolean;
  readonly children: ComponentChildren;
  run(): Promise<void>;
}

/** The fields of a rule, what comes of them, and the button that applies it. */
function Rule({ rows, isAll, outcome, outcomeId, button, isReady, children, run }: RuleProps): JSX.Element {
  const failure = useSignal("");
  const apply = async () => {
    try {
      await run();
      failure.value = "";
    } catch (error) {
      failure.value = messageOf(error);
    }
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void apply();
      }}
    >
      {children}
      <p id={outcomeId} class={outcome.isBad || failure.value ? "bad" : ""} role="status">
        {failure.value || outcome.message}
      </p>
      <p class="buttons">
        <button type="submit" disabled={!isReady}>
          {button}
        </button>
        <span class="muted">{text.splitScope(rows.length, isAll)}</span>
      </p>
    </form>
  );
}

interface PatternFieldProps {
  readonly label: string;
  readonly value: Signal<string>;
  readonly id?: string;
  /** Ids of what says more about it. */
  readonly describedBy?: string;
  readonly isBad?: boolean;
}

function PatternField({ label, value, id, describedBy, isBad }: PatternFieldProps): JSX.Element {
  return (
    <label class="field">
      <span>{label}</span>
      <input
        id={id}
        type="text"
        class="mono"
        spellcheck={false}
        autocomplete="off"
        aria-describedby={describedBy}
        aria-invalid={isBad}
        value={value.value}
        onInput={(event) => (value.value = event.currentTarget.value)}
      />
    </label>
  );
}

export function Split(): JSX.Element {
  const written = useSignal(pattern.peek());
  const { rows, isAll } = rowsOfRule();
  const names = () => rows.map((row) => model.peek()!.sheet.row(row).name);
  const outcome = useOutcome(
    () =>
      written.value
        ? evaluateSplit(written.value, names(), "preview").then((found) => text.splitCount(found.filter(Boolean).length, rows.length))
        : null,
    [written.value, view.value, range.value.top, range.value.bottom, version.value],
  );
  const run = async () => {
    applySplit(rows, await evaluateSplit(written.value, names(), "apply"));
    setFragment({ pattern: written.value || null });
  };
  return (
    <Rule rows={rows} isAll={isAll} outcome={outcome} outcomeId="split-outcome" button={text.splitDo} isReady={Boolean(written.value)} run={run}>
      <PatternField id="split-pattern" label={text.pattern} value={written} describedBy="split-hint split-outcome" isBad={outcome.isBad} />
      <p class="muted hint" id="split-hint">
        {text.splitHint}
      </p>
    </Rule>
  );
}

const REPLACED: readonly Column[] = [...FIELDS, "newName"];

export function Replace(): JSX.Element {
  const find = useSignal("");
  const replacement = useSignal("");
  const column = useSignal<Column>("title");
  const regular = useSignal(false);
  const matchCase = useSignal(false);
  const { rows, isAll } = rowsOfRule();
  const search = () => ({
    find: find.value,
    replacement: replacement.value,
    regular: regular.value,
    matchCase: matchCase.value,
  });
  const texts = () => rows.map((row) => model.peek()!.sheet.text(row, column.value));
  const outcome = useOutcome(() => {
    if (!find.value) return null;
    const before = texts();
    return evaluateReplacement(search(), before, "preview").then((after) =>
      text.replaceCount(after.filter((one, at) => one !== before[at]).length),
    );
  }, [find.value, replacement.value, column.value, regular.value, matchCase.value, view.value, range.value.top, range.value.bottom, version.value]);
  const run = async () => {
    applyReplacement(column.value, rows, await evaluateReplacement(search(), texts(), "apply"));
  };
  return (
    <Rule rows={rows} isAll={isAll} outcome={outcome} outcomeId="replace-outcome" button={text.replaceDo} isReady={Boolean(find.value)} run={run}>
      <PatternField id="find-text" label={text.find} value={find} describedBy="replace-outcome" isBad={outcome.isBad} />
      <PatternField label={text.replaceWith} value={replacement} />
      <label class="field">
        <span>{text.inColumn}</span>
        <select value={column.value} onChange={(event) => (column.value = event.currentTarget.value as Column)}>
          {REPLACED.map((name) => (
            <option key={name} value={name}>
              {columnNames[name]}
            </option>
          ))}
        </select>
      </label>
      <label>
        <input type="checkbox" checked={regular.value} onChange={(event) => (regular.value = event.currentTarget.checked)} />
        {text.regular}
      </label>
      <label>
        <input type="checkbox" checked={matchCase.value} onChange={(event) => (matchCase.value = event.currentTarget.checked)} />
        {text.matchCase}
      </label>
    </Rule>
  );
}
