/** What the page asks: two versions of a document, a name, a document to open. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { parseFilename } from "../../shared/naming";
import { ListInput } from "../../shared/palette";
import { afterDrawing } from "../../shared/regions";
import { closeDialog, Modal, openDialog } from "../../shared/shell";
import { STATUSES } from "../../shared/statuses";
import { visible } from "../../shared/visible";
import { windowsProblem } from "../../shared/windowsNames";
import { focusEditor } from "../editor/view";
import { isMarkdown, write } from "../model/names";
import { openDocument } from "../opening";
import { type Answer, asking, besideName, createDocument, saveUnder } from "../saving";
import { bytesOf, documents, entries, folderOf, joinPath, nameOf, type OnDisk, type OpenDocument } from "../state";
import { text } from "../text";
import { Differences } from "./differences";

asking.current = (document, theirs) =>
  new Promise((done) => {
    openDialog(() => <Conflict document={document} theirs={theirs} done={done} />);
  });

interface ConflictProps {
  readonly document: OpenDocument;
  readonly theirs: OnDisk | null;
  done(answer: Answer): void;
}

function Conflict({ document, theirs, done }: ConflictProps): JSX.Element {
  const words = text.changedHere;
  const isShown = useSignal(false);
  const name = visible(nameOf(document.path));
  const answer = (what: Answer) => () => {
    closeDialog();
    done(what);
  };
  return (
    <Modal title={words.head} class={isShown.value ? "wide-modal" : ""} onClose={() => done("cancel")}>
      <p class="question">{theirs ? words.question(name) : words.goneQuestion(name)}</p>
      {theirs && (
        <dl class="ways">
          <dt>{words.mine}</dt>
          <dd>{words.mineHint(visible(besideName(document.path, theirs)))}</dd>
          <dt>{words.theirs}</dt>
          <dd>{words.theirsHint}</dd>
        </dl>
      )}
      {theirs && isShown.value && (
        <Differences old={theirs.bytes} now={bytesOf(document)} oldLabel={text.differences.disk} nowLabel={text.differences.mine} />
      )}
      <p class="buttons">
        <button type="button" onClick={answer("cancel")}>{words.cancel}</button>
        {theirs && (
          <button type="button" data-first onClick={() => (isShown.value = !isShown.value)}>
            {isShown.value ? words.hide : words.differences}
          </button>
        )}
        {theirs && <button type="button" onClick={answer("theirs")}>{words.theirs}</button>}
        <button type="button" onClick={answer("mine")}>{theirs ? words.mine : words.again}</button>
      </p>
    </Modal>
  );
}

/** Asks for a name beside a document, by the convention or free. */
export function openSaveAs(document: OpenDocument): void {
  openDialog(() => (
    <NameDialog
      title={text.name.heading}
      folder={folderOf(document.path)}
      name={nameOf(document.path)}
      label={text.name.save}
      hint={document.disk ? text.name.stays : ""}
      act={(name) => void saveUnder(document, name).then(focusEditor)}
    />
  ));
}

/** Asks for the name of a new document. */
export function openNew(folder: string): void {
  openDialog(() => (
    <NameDialog
      title={text.name.newHeading}
      folder={folder}
      name=""
      label={text.name.create}
      hint=""
      act={(name, title) => {
        createDocument(folder, name, title);
        afterDrawing(focusEditor);
      }}
    />
  ));
}

interface NameDialogProps {
  readonly title: string;
  readonly folder: string;
  readonly name: string;
  readonly label: string;
  readonly hint: string;
  act(name: string, title: string): void;
}

function NameDialog({ title, folder, name, label, hint, act }: NameDialogProps): JSX.Element {
  const read = parseFilename(name);
  const isFree = useSignal(name !== "" && !read.valid);
  const whole = useSignal(name);
  const tracking = useSignal(read.trackingNumber);
  const revision = useSignal(name ? read.revision : "~A");
  const status = useSignal(read.status || "---");
  const words = useSignal(read.valid ? read.title : "");
  const extension = read.valid ? read.extensionAsWritten : "md";
  const isTouched = useSignal(false);
  const { name: made, problem } = isFree.value
    ? freeName(whole.value.trim())
    : write({ trackingNumber: tracking.value.trim(), revision: revision.value.trim(), status: status.value, title: words.value.trim(), extension });
  const path = made === null ? "" : joinPath(folder, made);
  const isTaken = made !== null && (entries.value.some((one) => one.path.toLowerCase() === path.toLowerCase()) || documents.value.has(path));
  const why = isTaken ? text.name.taken(made) : problem;
  const field = (caption: string, value: { value: string }, more: Record<string, unknown> = {}) => (
    <label class="field">
      <span>{caption}</span>
      <input
        type="text"
        value={value.value}
        spellcheck={false}
        autocomplete="off"
        {...more}
        onInput={(event) => {
          value.value = event.currentTarget.value;
          isTouched.value = true;
        }}
      />
    </label>
  );
  return (
    <Modal title={title}>
      <form
        class="name-form"
        onSubmit={(event) => {
          event.preventDefault();
          isTouched.value = true;
          if (why || made === null) return;
          closeDialog();
          act(made, isFree.peek() ? made.replace(/\.[^.]*$/, "") : words.peek().trim());
        }}
      >
        {folder && <p class="muted breaks">{text.name.folder(visible(folder))}</p>}
        <div class="buttons" role="group" aria-label={text.name.label}>
          <button type="button" aria-pressed={!isFree.value} onClick={() => (isFree.value = false)}>{text.name.byConvention}</button>
          <button type="button" aria-pressed={isFree.value} onClick={() => (isFree.value = true)}>{text.name.free}</button>
        </div>
        {isFree.value ? (
          field(text.name.wholeName, whole, { "data-first": true })
        ) : (
          <>
            {field(text.name.tracking, tracking, { "data-first": true })}
            <div class="two-fields">
              {field(text.name.revision, revision)}
              <label class="field">
                <span>{text.name.status}</span>
                <select value={status.value} onChange={(event) => (status.value = event.currentTarget.value)}>
                  {[...STATUSES].map(([code, meaning]) => (
                    <option key={code} value={code}>{`${code} · ${meaning}`}</option>
                  ))}
                </select>
              </label>
            </div>
            {field(text.name.title, words)}
          </>
        )}
        <p class="breaks" aria-live="polite">
          {why ? isTouched.value && <span class="bad">{visible(why)}</span> : <code>{visible(made ?? "")}</code>}
        </p>
        {hint && <p class="muted">{hint}</p>}
        <p class="buttons">
          <button type="submit" class="primary" disabled={isTouched.value && why !== ""}>{label}</button>
        </p>
      </form>
    </Modal>
  );
}

function freeName(name: string): ReturnType<typeof write> {
  const problem = name.includes("/")
    ? text.name.slash
    : /^[._]/.test(name)
      ? text.name.private
      : windowsProblem(name) || (isMarkdown(name) ? "" : text.name.noExtension);
  return problem ? { name: null, problem } : { name, problem: "" };
}

const MOST_FOUND = 50;

/** Opens a document by words of its path. */
export function openQuick(): void {
  openDialog(() => <Quick />);
}

function Quick(): JSX.Element {
  const wanted = useSignal("");
  const at = useSignal(0);
  const words = wanted.value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = entries.value
    .filter((one) => !one.isFolder && isMarkdown(one.name) && words.every((word) => one.path.toLowerCase().includes(word)))
    .slice(0, MOST_FOUND);
  const chosen = Math.min(at.value, found.length - 1);
  const choose = (path: string | undefined) => {
    if (path === undefined) return;
    closeDialog();
    void openDocument(path).then(() => afterDrawing(focusEditor));
  };
  return (
    <Modal title={text.quick.head} isBare class="palette">
      <ListInput
        label={text.quick.hint}
        list="quick-list"
        chosen={found.length ? `quick-${chosen}` : undefined}
        value={wanted.value}
        onText={(typed) => {
          wanted.value = typed;
          at.value = 0;
        }}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown") at.value = (chosen + 1) % Math.max(found.length, 1);
          else if (event.key === "ArrowUp") at.value = (chosen - 1 + found.length) % Math.max(found.length, 1);
          else if (event.key === "Enter") choose(found[chosen]?.path);
          else return;
          event.preventDefault();
        }}
      />
      <ul id="quick-list" role="listbox" aria-label={text.quick.head}>
        {found.map((one, n) => (
          <li key={one.path} id={`quick-${n}`} role="option" aria-selected={n === chosen} onClick={() => choose(one.path)}>
            <span class="breaks">{visible(one.path)}</span>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p class="empty">{text.quick.none}</p>}
    </Modal>
  );
}
