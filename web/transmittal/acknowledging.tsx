/** Acknowledges a transmittal that came: a document of its own, beside it. */
import { useState } from "preact/hooks";
import type { JSX } from "preact";
import { closeDialog, Modal, openDialog } from "../shared/dialogs";
import { reasonOf } from "../shared/files/place";
import { addProblem, showToast } from "../shared/messages";
import { describe, LABEL, makeAcknowledgement, receivedOf } from "../shared/transmittal/acknowledgement";
import { textOf, type ListedFile } from "../shared/transmittal/data";
import { differs, hashFiles, isHidden, rowOf } from "../shared/transmittal/delivery";
import { addSignature } from "../shared/transmittal/signatures";
import { visible } from "../shared/visible";
import { Buttons, Failure } from "./keys";
import { checkAgain, doWork } from "./loading";
import { loaded, own, signingKey, today, type Loaded } from "./state";
import { text } from "./text";
import { writeBeside } from "./writing";

const words = text.acknowledge;

export function askToAcknowledge(): void {
  const opened = loaded.peek();
  if (!opened?.report) addProblem(opened?.page.name ?? text.title, words.needsFolder);
  else openDialog(() => <AcknowledgeDialog opened={opened} />);
}

interface Answer {
  readonly receiver: string;
  readonly sender: string;
  readonly accepted: string;
  readonly isSigned: boolean;
}

function AcknowledgeDialog({ opened }: { opened: Loaded }): JSX.Element {
  const { payload } = opened.page.transmittal;
  const key = signingKey.value;
  const [receiver, setReceiver] = useState(own.peek().from || textOf(payload, "to"));
  const [sender, setSender] = useState(textOf(payload, "from"));
  const [accepted, setAccepted] = useState("");
  const [isSigned, setSigned] = useState(key !== null);
  const [problem, setProblem] = useState("");
  const isDifferent = differs(opened.report!);
  const acknowledge = async (event: Event) => {
    event.preventDefault();
    if (isDifferent && !accepted.trim()) return setProblem(words.acceptedNeeded);
    closeDialog();
    try {
      await write(opened, { receiver: receiver.trim(), sender: sender.trim(), accepted: accepted.trim(), isSigned });
    } catch (error) {
      addProblem(opened.page.name, `${text.errors.notSaved}: ${reasonOf(error)}`);
    }
  };
  return (
    <Modal title={words.head}>
      <form class="form" onSubmit={(event) => void acknowledge(event)}>
        <p>{words.lead}</p>
        <label>
          <span>{words.receiver}</span>
          <input data-first required value={receiver} onInput={(event) => setReceiver(event.currentTarget.value)} />
        </label>
        <label>
          <span>{words.sender}</span>
          <input required value={sender} onInput={(event) => setSender(event.currentTarget.value)} />
        </label>
        {isDifferent && (
          <label>
            <span>{words.accepted}</span>
            <input value={accepted} onInput={(event) => setAccepted(event.currentTarget.value)} />
          </label>
        )}
        <label class="check">
          <input type="checkbox" checked={isSigned && key !== null} disabled={!key} onChange={(event) => setSigned(event.currentTarget.checked)} />
          {words.sign}
        </label>
        <Failure reason={problem} />
        <Buttons label={words.do} />
      </form>
    </Modal>
  );
}

async function write(opened: Loaded, { receiver, sender, accepted, isSigned }: Answer): Promise<void> {
  const now = new Date();
  const rows = await readReceived(opened);
  if (!rows) return;
  const received = receivedOf(opened.page.transmittal);
  const remarks = describe(received, opened.report!, accepted);
  const made = await makeAcknowledgement(received, rows, remarks, { receiver, sender }, now, today());
  const key = signingKey.peek();
  const transmittal = isSigned && key ? await addSignature(made.transmittal, key.key, LABEL, now) : made.transmittal;
  const isBeside = await writeBeside(made.name, transmittal);
  showToast(words.done(visible(made.name)));
  if (isBeside) await checkAgain();
}

/** Returns what came, with the hashes as it came. */
async function readReceived(opened: Loaded): Promise<ListedFile[] | null> {
  const { place, folder, list } = opened;
  if (!place || !list) return [];
  const own = new Set([opened.page.name, ...opened.report!.acknowledgements.map((one) => one.page.name)]);
  const paths = [...list.files].filter(([path, reason]) => !reason && !isHidden(path) && !own.has(path)).map(([path]) => path);
  const read = await doWork(text.edit.reading, (options) => hashFiles(place, folder, paths, options));
  if (!read) return null;
  const checked = opened.report!.read;
  return paths.map((path) => read.get(path)!).map((file) => {
    if (file.reason) throw new Error(`${file.path}: ${file.reason}`);
    // The remarks tell the result of a check, and must be about these bytes.
    if ((checked.get(file.path)?.sha256 ?? file.sha256) !== file.sha256) throw new Error(words.changed(file.path));
    return rowOf(file.path, file.sha256, file.size);
  });
}
