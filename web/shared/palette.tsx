// All that a page can do, found by its words (Ctrl K), and its keys (?).
import { useSignal, type ReadonlySignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { closeDialog, Modal, openDialog } from "./dialogs.tsx";
import { reasonOf } from "./files/place.ts";
import { addProblem } from "./messages.ts";
import { afterDrawing } from "./regions.ts";
import type { Action } from "./shortcuts.ts";
import { text } from "./text/en.ts";

/** Starts an action; what goes wrong in it goes to the problems. */
export function start(action: Action): void {
  const fail = (fault: unknown) => addProblem(action.label, reasonOf(fault));
  try {
    Promise.resolve(action.run()).catch(fail);
  } catch (fault) {
    fail(fault);
  }
}

/** Returns the actions that have all words of a text, those that begin with it first. */
export function findActions(actions: readonly Action[], wanted: string): Action[] {
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  const whole = words.join(" ");
  const rank = (label: string) => (label.startsWith(whole) ? 0 : 1);
  return actions
    .map((action) => ({ action, label: action.label.toLowerCase() }))
    .filter(({ label }) => words.every((word) => label.includes(word)))
    .sort((a, b) => rank(a.label) - rank(b.label))
    .map(({ action }) => action);
}

export function openPalette(actions: readonly Action[]): void {
  openDialog(() => <Palette actions={actions.filter((one) => one.id !== "palette" && one.enabled?.peek() !== false)} />);
}

function Palette({ actions }: { actions: readonly Action[] }): JSX.Element {
  const wanted = useSignal("");
  const at = useSignal(0);
  const list = useRef<HTMLUListElement>(null);
  const found = findActions(actions, wanted.value);
  const current = Math.min(at.value, found.length - 1);
  const choose = (action: Action | undefined) => {
    if (!action) return;
    closeDialog();
    // After the focus is back where it was: an action may look at it.
    afterDrawing(() => start(action));
  };
  useEffect(() => {
    list.current?.children[current]?.scrollIntoView({ block: "nearest" });
  }, [current]);
  const onKeyDown = (event: KeyboardEvent) => {
    const last = found.length - 1;
    if (event.key === "ArrowDown") at.value = current >= last ? 0 : current + 1;
    else if (event.key === "ArrowUp") at.value = current <= 0 ? last : current - 1;
    else if (event.key === "Enter") choose(found[current]);
    else return;
    event.preventDefault();
  };
  return (
    <Modal title={text.actions.palette} isBare class="palette">
      <ListInput
        label={text.actions.paletteHint}
        list="palette-list"
        chosen={found.length ? `palette-${current}` : undefined}
        value={wanted.value}
        onText={(typed) => {
          wanted.value = typed;
          at.value = 0;
        }}
        onKeyDown={onKeyDown}
      />
      <ul id="palette-list" role="listbox" aria-label={text.actions.palette} ref={list}>
        {found.map((action, n) => (
          <li
            key={action.id}
            id={`palette-${n}`}
            role="option"
            aria-selected={n === current}
            onMouseMove={() => (at.value = n)}
            onClick={() => choose(action)}
          >
            <span>{action.label}</span>
            {action.keys && <Keys keys={action.keys} />}
          </li>
        ))}
      </ul>
      {found.length === 0 && <p class="empty">{text.actions.paletteEmpty}</p>}
    </Modal>
  );
}

interface ListInputProps {
  readonly label: string;
  /** The ids of the list and of what is chosen in it. */
  readonly list: string;
  readonly chosen: string | undefined;
  readonly value: string;
  onText(typed: string): void;
  onKeyDown(event: KeyboardEvent): void;
}

/** The field above a list that it narrows, in a dialog: it has the focus, and the keys of the list are its own. */
export function ListInput({ label, list, chosen, value, onText, onKeyDown }: ListInputProps): JSX.Element {
  return (
    <input
      type="text"
      role="combobox"
      aria-label={label}
      placeholder={label}
      aria-expanded="true"
      aria-controls={list}
      aria-activedescendant={chosen}
      autocomplete="off"
      spellcheck={false}
      data-first
      value={value}
      onInput={(event) => onText(event.currentTarget.value)}
      onKeyDown={onKeyDown}
    />
  );
}

/** Keys as they stand on a keyboard. */
export function Keys({ keys }: { keys: string }): JSX.Element {
  return (
    <span class="keys">
      {keys.split(" ").map((key, n) => (
        <kbd key={n}>{key}</kbd>
      ))}
    </span>
  );
}

export interface KeyNote {
  readonly keys: string;
  readonly does: string;
  /** Whether the keys are told in words. */
  readonly isText?: boolean;
}

interface KeysOf {
  readonly actions: ReadonlySignal<readonly Action[]>;
  readonly keys?: readonly KeyNote[];
  readonly tableKeys?: readonly KeyNote[];
}

/** Shows the keys of a page, and those that all pages have. */
export function openKeySheet(page: KeysOf, everywhere: readonly Action[]): void {
  const rows = (actions: readonly Action[]) => actions.flatMap(({ keys, label }) => (keys ? [{ keys, does: label }] : []));
  const tables: [string, readonly KeyNote[] | undefined][] = [
    [text.keys.here, [...rows(page.actions.peek()), ...(page.keys ?? [])]],
    [text.keys.inTables, page.tableKeys],
    [text.keys.everywhere, [...rows(everywhere), { keys: "Esc", does: text.actions.closeOrBack }]],
  ];
  openDialog(() => (
    <Modal title={text.actions.keySheet} class="key-sheet">
      <div class="columns">
        {tables.map(
          ([title, notes]) =>
            notes?.length && (
              <section key={title}>
                <h3>{title}</h3>
                <dl>
                  {notes.map(({ keys, does, isText }) => (
                    <div key={keys + does}>
                      <dt>{isText ? <kbd>{keys}</kbd> : <Keys keys={keys} />}</dt>
                      <dd>{does}</dd>
                    </div>
                  ))}
                </dl>
              </section>
            ),
        )}
      </div>
    </Modal>
  ));
}
