/** What is asked before a transmittal is published. */
import { useEffect, useState } from "preact/hooks";
import type { JSX } from "preact";
import { canPick } from "../shared/files";
import { closeDialog, Modal, openDialog } from "../shared/dialogs";
import { addProblem } from "../shared/messages";
import { NamingError } from "../shared/naming";
import { reasonOf } from "../shared/files/place";
import { fileName, folderName } from "../shared/transmittal/checks";
import { textOf, type Transmittal } from "../shared/transmittal/data";
import { prepare } from "../shared/transmittal/publishing";
import { addSignature, canCheck } from "../shared/transmittal/signatures";
import { makePayload } from "../shared/transmittal/writing";
import { visible } from "../shared/visible";
import { Buttons, Failure } from "./keys";
import { ownFolder, presentationOf, toListed, type Draft } from "./model/draft";
import type { Target } from "./model/target";
import { draft, loaded, notes, own, problems, signingKey } from "./state";
import { text } from "./text";
import { countUnlisted, saveSigned, writeTransmittal } from "./writing";

const words = text.publish;
type How = "draft" | "digest" | "signed";

export function askToPublish(): void {
  openDialog(() => <PublishDialog draftOnly={false} />);
}

export function askToSaveDraft(): void {
  openDialog(() => <PublishDialog draftOnly />);
}

/** Returns the names that a draft will get; or why it can have none. */
export function namesOf(given: Draft, isDraft: boolean): { page: string; folder: string; problem: string } {
  try {
    const payload = makePayload(given.fields, [], { draft: isDraft });
    return { page: fileName(payload, { draft: isDraft }), folder: folderName(payload), problem: "" };
  } catch (error) {
    if (error instanceof NamingError) return { page: "", folder: "", problem: text.errors.noName(error.message) };
    throw error;
  }
}

async function makeTransmittal(given: Draft, how: How, label: string): Promise<Transmittal> {
  const now = new Date();
  const options = { draft: how === "draft", now, presentation: presentationOf(given) };
  const made = await prepare(given.fields, given.rows.map(toListed), options);
  const key = signingKey.peek();
  return how === "signed" && key ? addSignature(made, key.key, label.trim(), now) : made;
}

function PublishDialog({ draftOnly }: { draftOnly: boolean }): JSX.Element {
  const given = draft.value;
  const canPublish = !draftOnly && problems.value.count === 0 && canCheck();
  const key = signingKey.value;
  const [how, setHow] = useState<How>(canPublish ? (key ? "signed" : "digest") : "draft");
  const [label, setLabel] = useState(own.peek().from || (given.fields.from ?? ""));
  const names = namesOf(given, how === "draft");
  const into = ownFolder(given);
  const hasFiles = given.rows.some((row) => row.source);
  const isComplete = hasFiles && given.rows.every((row) => row.source);
  const targets: Target[] = [...(into ? ["into" as const] : []), ...(isComplete && canPick() ? ["folder" as const] : []), ...(isComplete ? ["zip" as const] : []), "html"];
  const [target, setTarget] = useState<Target>(targets[0]!);
  const [unlisted, setUnlisted] = useState(0);
  useEffect(() => {
    if (into) void countUnlisted(into).then(setUnlisted, () => setUnlisted(0));
  }, [into]);
  const publish = async (event: Event) => {
    event.preventDefault();
    closeDialog();
    try {
      await writeTransmittal(await makeTransmittal(given, how, label), given, target, into);
    } catch (error) {
      addProblem(names.page || text.title, reasonOf(error));
    }
  };
  const ways: readonly (readonly [How, string, string, boolean])[] = [
    ["draft", words.draft, words.draftHint, true],
    ["digest", words.digest, canCheck() ? words.digestHint : words.notHere, canPublish],
    ["signed", words.signed, key ? words.signedHint(key.fingerprint) : words.signedNoKey, canPublish && key !== null],
  ];
  const places: Record<Target, string> = {
    into: words.into(visible(into?.name ?? "")),
    folder: words.newFolder,
    zip: words.zip,
    html: words.html,
  };
  return (
    <Modal title={draftOnly ? text.actions.saveDraft : words.head} class="wide-modal">
      <form class="form" onSubmit={(event) => void publish(event)}>
        {!draftOnly && (
          <fieldset>
            <legend>{words.how}</legend>
            {ways.map(([id, name, hint, enabled]) => (
              <label key={id} class="check">
                <input type="radio" name="how" checked={how === id} disabled={!enabled} data-first={how === id || undefined} onChange={() => setHow(id)} />
                <span>
                  <b>{name}</b> <span class="muted">{hint}</span>
                </span>
              </label>
            ))}
          </fieldset>
        )}
        {problems.value.count > 0 && !draftOnly && (
          <p class="notice warn">
            {text.checks.some(problems.value.count)}. {text.checks.draftHint}
          </p>
        )}
        {how === "signed" && (
          <label>
            <span>{words.label}</span>
            <input value={label} onInput={(event) => setLabel(event.currentTarget.value)} aria-describedby="label-hint" />
            <span id="label-hint" class="muted">
              {words.labelHint}
            </span>
          </label>
        )}
        <fieldset>
          <legend>{words.where}</legend>
          {targets.map((id) => (
            <label key={id} class="check">
              <input type="radio" name="where" checked={target === id} onChange={() => setTarget(id)} />
              {places[id]}
            </label>
          ))}
        </fieldset>
        {target === "into" && into && names.folder && into.name !== names.folder && <p class="notice">{words.intoRenamed(visible(names.folder))}</p>}
        {notes.value.size > 0 && <p class="notice warn">{text.issued.some(notes.value.size)}</p>}
        {target === "into" && unlisted > 0 && <p class="notice warn">{words.extra(unlisted)}</p>}
        {names.page && (
          <dl class="names">
            <dt>{words.namesHead}</dt>
            {target !== "html" && target !== "into" && <dd class="breaks">{visible(names.folder)}/</dd>}
            <dd class="breaks">{visible(names.page)}</dd>
          </dl>
        )}
        <Failure reason={names.problem} />
        <Buttons label={how === "draft" ? text.actions.saveDraft : words.do} disabled={!names.page} />
      </form>
    </Modal>
  );
}

export function askToSign(): void {
  openDialog(SignDialog);
}

/** Shows what is signed, computed from what is signed and not from what a page says. */
function SignDialog(): JSX.Element | null {
  const opened = loaded.value;
  const key = signingKey.value;
  const [label, setLabel] = useState(own.peek().from);
  if (!opened || !key) return null;
  const { transmittal } = opened.page;
  const sign = async (event: Event) => {
    event.preventDefault();
    closeDialog();
    try {
      await saveSigned(await addSignature(transmittal, key.key, label.trim(), new Date()));
    } catch (error) {
      addProblem(opened.page.name, `${text.errors.notSaved}: ${reasonOf(error)}`);
    }
  };
  return (
    <Modal title={text.keys.signHead}>
      <form class="form" onSubmit={(event) => void sign(event)}>
        <p>{text.keys.signWhat}</p>
        <dl class="names">
          <dd class="breaks">
            <b>{visible(textOf(transmittal.payload, "trackingNumber"))}</b> {visible(textOf(transmittal.payload, "subject"))}
          </dd>
          <dd>
            <code class="breaks">{opened.judged.check.digest}</code>
          </dd>
        </dl>
        <label>
          <span>{words.label}</span>
          <input data-first value={label} onInput={(event) => setLabel(event.currentTarget.value)} />
        </label>
        <p>
          <button type="button" class="quiet" onClick={() => setLabel("Received By")}>
            {text.keys.receipt}
          </button>
        </p>
        <p class="muted">{text.keys.open(key.fingerprint)}</p>
        <Buttons label={text.keys.signDo} />
      </form>
    </Modal>
  );
}
