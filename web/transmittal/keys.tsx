/** Signing keys, which are forgotten with the page, and known keys. */
import { useState } from "preact/hooks";
import type { JSX } from "preact";
import { closeDialog, Modal, openDialog } from "../shared/dialogs";
import { addProblem, showToast } from "../shared/messages";
import { download } from "../shared/save";
import { reasonOf } from "../shared/files/place";
import { COMPATIBLE_ITERATIONS, generateKey, openKey, parseKeyFile, writeKey } from "../shared/transmittal/keyFiles";
import { formatKnownKeys, type KnownKey } from "../shared/transmittal/knownKeys";
import { judgeAgain, judgeReport } from "../shared/transmittal/delivery";
import { fingerprintOf, thumbprintOf, type Signature } from "../shared/transmittal/signatures";
import { visible } from "../shared/visible";
import { knownKeys, loaded, signingKey, today } from "./state";
import { text } from "./text";

const words = text.keys;

/** Asks for a key file and its password, and opens it. */
export function askForKey(given?: File): void {
  openDialog(() => <KeyDialog given={given ?? null} />);
}

function KeyDialog({ given }: { given: File | null }): JSX.Element {
  const [file, setFile] = useState(given);
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState("");
  const open = async (event: Event) => {
    event.preventDefault();
    if (!file) return;
    try {
      const key = await openKey(parseKeyFile(new Uint8Array(await file.arrayBuffer())), password);
      await takeKey(key);
      closeDialog();
    } catch (error) {
      setProblem(reasonOf(error));
    }
  };
  return (
    <Modal title={words.openHead}>
      <form class="form" onSubmit={(event) => void open(event)}>
        <label>
          <span>{words.file}</span>
          {given ? (
            <span class="breaks">{visible(given.name)}</span>
          ) : (
            <input type="file" accept=".zddc-key,.json" data-first onChange={(event) => setFile(event.currentTarget.files?.[0] ?? null)} />
          )}
        </label>
        <label>
          <span>{words.password}</span>
          <input type="password" autocomplete="off" data-first={given ? true : undefined} value={password} onInput={(event) => setPassword(event.currentTarget.value)} />
        </label>
        <Failure reason={problem} />
        <Buttons label={words.openDo} disabled={!file} />
      </form>
    </Modal>
  );
}

/** The reason why a dialog cannot go on. */
export function Failure({ reason }: { reason: string }): JSX.Element {
  return (
    <p class="bad" role="alert">
      {reason}
    </p>
  );
}

export function Buttons({ label, disabled = false }: { label: string; disabled?: boolean }): JSX.Element {
  return (
    <p class="buttons">
      <button type="button" onClick={closeDialog}>
        {text.cancel}
      </button>
      <button type="submit" class="primary" disabled={disabled}>
        {label}
      </button>
    </p>
  );
}

async function takeKey(key: Awaited<ReturnType<typeof openKey>>): Promise<void> {
  const fingerprint = fingerprintOf(await thumbprintOf(key.jwk));
  signingKey.value = { key, fingerprint };
  showToast(words.opened(fingerprint));
}

export function forgetKey(): void {
  signingKey.value = null;
  showToast(words.forgotten);
}

export function askForNewKey(): void {
  openDialog(NewKeyDialog);
}

function NewKeyDialog(): JSX.Element {
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const [isPlain, setPlain] = useState(false);
  const [isCompatible, setCompatible] = useState(false);
  const [problem, setProblem] = useState("");
  const [isMaking, setMaking] = useState(false);
  const make = async (event: Event) => {
    event.preventDefault();
    // 600,000 rounds take a second, and a second click would make a second key.
    if (isMaking) return;
    if (!isPlain && !password) return setProblem(words.empty);
    if (!isPlain && password !== again) return setProblem(words.notEqual);
    setMaking(true);
    try {
      const made = await generateKey();
      const content = await writeKey(made, isPlain ? null : password, ...(isCompatible ? [COMPATIBLE_ITERATIONS] : []));
      const key = await openKey(parseKeyFile(new TextEncoder().encode(content)), isPlain ? "" : password);
      download(words.name(fingerprintOf(await thumbprintOf(made))), content, "application/json");
      closeDialog();
      await takeKey(key);
    } catch (error) {
      setProblem(reasonOf(error));
      setMaking(false);
    }
  };
  return (
    <Modal title={words.makeHead}>
      <form class="form" onSubmit={(event) => void make(event)}>
        <p>{words.makeHint}</p>
        <label>
          <span>{words.password}</span>
          <input type="password" autocomplete="new-password" data-first disabled={isPlain} value={password} onInput={(event) => setPassword(event.currentTarget.value)} />
        </label>
        <label>
          <span>{words.again}</span>
          <input type="password" autocomplete="new-password" disabled={isPlain} value={again} onInput={(event) => setAgain(event.currentTarget.value)} />
        </label>
        <label class="check">
          <input type="checkbox" checked={isCompatible} disabled={isPlain} onChange={(event) => setCompatible(event.currentTarget.checked)} />
          {words.compatible}
        </label>
        <label class="check">
          <input type="checkbox" checked={isPlain} onChange={(event) => setPlain(event.currentTarget.checked)} />
          {words.plain}
        </label>
        {isPlain && <p class="notice warn">{words.plainWarning}</p>}
        <Failure reason={problem} />
        <Buttons label={words.makeDo} disabled={isMaking} />
      </form>
    </Modal>
  );
}

/** Takes over the keys of a file; one that is known already stays as it is. */
export function takeKnownKeys(keys: readonly KnownKey[]): void {
  const known = new Map(knownKeys.peek().map((one) => [one.thumbprint, one]));
  for (const key of keys) {
    const before = known.get(key.thumbprint);
    if (!before) known.set(key.thumbprint, key);
    else if (JSON.stringify(before) !== JSON.stringify(key)) addProblem(key.name, words.knownTwice);
  }
  useKeys([...known.values()]);
  showToast(words.knownOpened(keys.length));
}

function useKeys(keys: readonly KnownKey[]): void {
  knownKeys.value = keys;
  const opened = loaded.peek();
  if (opened) loaded.value = { ...opened, judged: judgeAgain(opened.judged, keys), report: opened.report && judgeReport(opened.report, keys) };
}

export function saveKnownKeys(): void {
  download("known-keys.json", formatKnownKeys(knownKeys.peek()), "application/json");
}

export function askToKnow(signature: Signature): void {
  openDialog(() => <KnowDialog signature={signature} />);
}

function KnowDialog({ signature }: { signature: Signature }): JSX.Element {
  const [name, setName] = useState(signature.attested ? signature.label : "");
  const [since, setSince] = useState(signature.attested && /^\d{4}-\d{2}-\d{2}/.test(signature.signedAt) ? signature.signedAt.slice(0, 10) : today());
  const add = (event: Event) => {
    event.preventDefault();
    const key = { thumbprint: signature.thumbprint, name: name.trim(), since, until: "" };
    useKeys([...knownKeys.peek().filter((one) => one.thumbprint !== key.thumbprint), key]);
    closeDialog();
    showToast(words.knownAdded(visible(key.name)));
  };
  return (
    <Modal title={words.knownHead}>
      <form class="form" onSubmit={add}>
        <p>
          {text.check.fingerprint}: <code class="breaks">{signature.thumbprint}</code>
        </p>
        <label>
          <span>{words.knownName}</span>
          <input data-first required value={name} onInput={(event) => setName(event.currentTarget.value)} />
        </label>
        <label>
          <span>{words.knownSince}</span>
          <input type="date" value={since} onInput={(event) => setSince(event.currentTarget.value)} />
        </label>
        <Buttons label={words.knownAdd} disabled={!name.trim()} />
      </form>
    </Modal>
  );
}
