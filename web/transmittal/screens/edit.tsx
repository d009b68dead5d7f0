/** The form of a transmittal that is being made. */
import type { JSX } from "preact";
import { addProblem } from "../../shared/messages";
import { SENT, ACKNOWLEDGEMENT } from "../../shared/transmittal/checks";
import type { TextField } from "../../shared/transmittal/data";
import { readLogo } from "../../shared/transmittal/logos";
import { STATUSES } from "../../shared/statuses";
import { visible } from "../../shared/visible";
import { pickFiles } from "../loading";
import { Markdown } from "../markdown";
import { askToPublish, askToSaveDraft, namesOf } from "../publishing";
import { change, draft, issued, notes, own, problems } from "../state";
import { fieldNames, text } from "../text";
import { FileTable } from "./fileTable";

const words = text.edit;
const NAMES = Object.keys(fieldNames).join("|");
const NAMED = new RegExp(`^(${NAMES})\\b`);

export function Edit(): JSX.Element {
  const { fields } = draft.value;
  const isSent = SENT.includes(fields.type ?? "");
  return (
    <div class="edit">
      <h1 class="visually-hidden">{text.screens.edit}</h1>
      <div class="edit-top">
        <section class="card" aria-labelledby="header-head">
          <h2 id="header-head">{words.header}</h2>
          <div class="fields">
            <TypeField />
            <Field name="trackingNumber" />
            <Field name="date" isDay />
            <PurposeField />
            <Field name="subject" wide />
            {isSent && <Field name="from" list="parties" />}
            {isSent && <ToField />}
            {fields.type === "Submittal" && <Field name="responseDue" isDay />}
          </div>
          <datalist id="parties">
            {own.value.parties.map((one) => (
              <option key={one} value={one} />
            ))}
          </datalist>
          <details>
            <summary>{words.more}</summary>
            <div class="fields">
              <Field name="client" />
              <Field name="project" />
              <Field name="projectNumber" />
              <Field name="title" />
              <Logo side="leftLogo" />
              <Logo side="rightLogo" />
            </div>
          </details>
        </section>
        <section class="card" aria-labelledby="remarks-head">
          <h2 id="remarks-head">{fieldNames.remarks}</h2>
          <Remarks />
        </section>
      </div>
      <FileTable />
      <Ready />
    </div>
  );
}

function setField(name: TextField, value: string): void {
  const { fields } = draft.peek();
  if ((fields[name] ?? "") === value) return;
  change({ ...draft.peek(), fields: { ...fields, [name]: value } }, `field-${name}`);
}

function isNamed(name: TextField): boolean {
  return problems.value.header.some((one) => NAMED.exec(one)?.[1] === name) && Boolean(draft.value.fields[name]);
}

function Field({ name, isDay = false, list, wide = false }: { name: TextField; isDay?: boolean; list?: string; wide?: boolean }): JSX.Element {
  return (
    <label class={wide ? "wide" : ""}>
      <span>{fieldNames[name]}</span>
      <input
        type="text"
        placeholder={isDay ? words.day : undefined}
        inputMode={isDay ? "numeric" : undefined}
        id={`field-${name}`}
        value={draft.value.fields[name] ?? ""}
        spellcheck={name === "subject"}
        aria-invalid={isNamed(name) ? "true" : undefined}
        {...(list && { list })}
        onInput={(event) => setField(name, event.currentTarget.value)}
      />
    </label>
  );
}

function TypeField(): JSX.Element {
  const type = draft.value.fields.type ?? "";
  const isKnown = words.types.includes(type as "Transmittal") && type !== ACKNOWLEDGEMENT;
  return (
    <label>
      <span>{fieldNames.type}</span>
      <select value={isKnown ? type : words.typeOther} onChange={(event) => setField("type", event.currentTarget.value)}>
        {[...words.types, words.typeOther].map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
    </label>
  );
}

function PurposeField(): JSX.Element {
  return (
    <label>
      <span>{fieldNames.purpose}</span>
      <select id="field-purpose" value={draft.value.fields.purpose ?? ""} onChange={(event) => setField("purpose", event.currentTarget.value)}>
        <option value="">{words.purposeNone}</option>
        {[...STATUSES].map(([code, meaning]) => (
          <option key={code} value={code}>{`${code} · ${meaning}`}</option>
        ))}
      </select>
    </label>
  );
}

function ToField(): JSX.Element {
  const { lists } = own.value;
  return (
    <>
      <Field name="to" list="parties" />
      {lists.length > 0 && (
        <label>
          <span>{words.lists}</span>
          <select value="" onChange={(event) => setField("to", lists[Number(event.currentTarget.value)]?.to ?? "")}>
            <option value="">{words.useList}</option>
            {lists.map((one, at) => (
              <option key={at} value={at}>
                {visible(one.name)}
              </option>
            ))}
          </select>
        </label>
      )}
    </>
  );
}

function Logo({ side }: { side: "leftLogo" | "rightLogo" }): JSX.Element {
  const source = draft.value[side];
  const set = (value: string) => change({ ...draft.peek(), [side]: value });
  const take = async (files: readonly File[]) => {
    const file = files[0];
    if (!file) return;
    const read = await readLogo(file);
    if (read) set(read);
    else addProblem(file.name, words.logoRefused);
  };
  return (
    <div
      class="logo"
      data-takes-drops
      onDrop={(event) => {
        event.preventDefault();
        void take([...(event.dataTransfer?.files ?? [])]);
      }}
    >
      <span>{words[side]}</span>
      {source && <img src={source} alt={words[side]} />}
      <span class="buttons">
        <button type="button" aria-label={`${words[side]}: ${words.chooseLogo}`} onClick={() => void pickFiles({ accept: "image/*" }).then(take)}>
          {words.chooseLogo}
        </button>
        {source && (
          <button type="button" aria-label={`${words[side]}: ${words.removeLogo}`} onClick={() => set("")}>
            {words.removeLogo}
          </button>
        )}
      </span>
    </div>
  );
}

function Remarks(): JSX.Element {
  const remarks = draft.value.fields.remarks ?? "";
  return (
    <div class="remarks">
      <label>
        <span class="visually-hidden">{fieldNames.remarks}</span>
        <textarea
          id="field-remarks"
          rows={6}
          value={remarks}
          aria-describedby="remarks-hint"
          onInput={(event) => setField("remarks", event.currentTarget.value)}
        />
      </label>
      <p id="remarks-hint" class="muted">
        {words.remarksHint}
      </p>
      {remarks ? <Markdown source={remarks} label={words.preview} /> : <p class="muted">{words.previewEmpty}</p>}
    </div>
  );
}

/** Says what must be mended, and publishes. */
function Ready(): JSX.Element {
  const { header, rows, count } = problems.value;
  const name = namesOf(draft.value, false);
  return (
    <section class="ready card" aria-label={text.actions.publish}>
      <div class="grow">
        {count === 0 ? (
          <b>{text.checks.none}</b>
        ) : (
          <>
            <b>{text.checks.some(count)}</b>
            <ul class="mend">
              {header.map((one) => (
                <li key={one}>{visible(one.replace(NAMED, (field) => fieldNames[field as TextField]))}</li>
              ))}
              {rows.size > 0 && <li>{text.checks.rows(rows.size)}</li>}
            </ul>
          </>
        )}
        {issued.value && <p class={notes.value.size ? "warn" : "muted"}>{notes.value.size ? text.issued.some(notes.value.size) : text.issued.compared(visible(issued.value.name))}</p>}
        {name.page && <p class="muted breaks">{visible(name.page)}</p>}
      </div>
      <p class="buttons">
        <button type="button" disabled={!name.page} onClick={askToSaveDraft}>
          {text.actions.saveDraft}
        </button>
        <button type="button" class="primary" disabled={count > 0} onClick={askToPublish}>
          {text.actions.publish}
        </button>
      </p>
    </section>
  );
}
