/** Saves the page with this person's own data in it. */
import { useState } from "preact/hooks";
import type { JSX } from "preact";
import { closeDialog, Modal, openDialog } from "../shared/dialogs";
import { addProblem } from "../shared/messages";
import { Buttons } from "./keys";
import { OWN_ID, parseOwn, withOwn, type Own } from "./model/own";
import { draft, knownKeys, own } from "./state";
import { text } from "./text";
import { saveHtml } from "./writing";

const words = text.own;

/** The page as it was before anything was shown in it; empty where a browser does not tell. */
const SOURCE = typeof document === "undefined" ? "" : readSource();

function readSource(): string {
  const root = document.documentElement as HTMLElement & { getHTML?(): string };
  const inside = root.getHTML?.();
  // What stands behind the script that runs now is not read yet.
  return inside ? `<!doctype html>\n<html lang="en" data-page="transmittal">\n${inside.replace(/<\/body>$/, "")}\n</body>\n</html>\n` : "";
}

/** Takes over what this copy of the page has in it. */
export function openOwn(): void {
  try {
    own.value = parseOwn(document.getElementById(OWN_ID)?.textContent ?? "{}");
    knownKeys.value = own.peek().knownKeys;
  } catch (error) {
    addProblem(words.damaged, (error as Error).message);
  }
}

export function askToSaveOwn(): void {
  if (SOURCE) openDialog(OwnDialog);
  else addProblem(words.head, words.notHere);
}

const linesOf = (value: string) => value.split("\n").map((line) => line.trim()).filter(Boolean);

function OwnDialog(): JSX.Element {
  const before = own.peek();
  const given = draft.peek();
  const [from, setFrom] = useState(before.from || (given.fields.from ?? ""));
  const [parties, setParties] = useState(before.parties.join("\n"));
  const [lists, setLists] = useState(before.lists.map((one) => `${one.name} = ${one.to}`).join("\n"));
  const [isWithLogos, setWithLogos] = useState(true);
  const save = (event: Event) => {
    event.preventDefault();
    const { client = "", project = "", projectNumber = "" } = given.fields;
    const { leftLogo, rightLogo } = given;
    const kept: Own = {
      ...before,
      from: from.trim(),
      parties: linesOf(parties),
      lists: linesOf(lists).map((line) => {
        const [name = "", ...to] = line.split("=");
        return { name: name.trim(), to: to.join("=").trim() };
      }),
      ...(isWithLogos && (given.rows.length || leftLogo || rightLogo || client || project) ? { client, project, projectNumber, leftLogo, rightLogo } : {}),
      knownKeys: knownKeys.peek(),
    };
    own.value = kept;
    saveHtml("transmittal.html", withOwn(SOURCE, kept));
    closeDialog();
  };
  return (
    <Modal title={words.head}>
      <form class="form" onSubmit={save}>
        <p>{words.lead}</p>
        <label>
          <span>{words.from}</span>
          <input data-first value={from} onInput={(event) => setFrom(event.currentTarget.value)} />
        </label>
        <label>
          <span>{words.parties}</span>
          <textarea rows={3} value={parties} onInput={(event) => setParties(event.currentTarget.value)} />
        </label>
        <label>
          <span>{words.lists}</span>
          <textarea rows={3} value={lists} onInput={(event) => setLists(event.currentTarget.value)} />
        </label>
        <label class="check">
          <input type="checkbox" checked={isWithLogos} onChange={(event) => setWithLogos(event.currentTarget.checked)} />
          {words.withLogos}
        </label>
        <p class="muted">{words.keys(knownKeys.value.length)}</p>
        <Buttons label={words.do} />
      </form>
    </Modal>
  );
}
