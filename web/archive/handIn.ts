/** Hands in: asks where, checks the names, sends file by file, and keeps what the server said of each. */
import { computed, signal } from "@preact/signals";
import { reasonOf, type Entry, type Place } from "../shared/files/place";
import { runAll } from "../shared/files/batches";
import { encodePath } from "../shared/files/server";
import { sha256OfBlob } from "../shared/hashing";
import { addProblem, formatNumber, fragment, status } from "../shared/shell";
import { planHandIn, readIncoming, type Incoming, type Plan, type Planned, type Received } from "./model/handIn";
import { servedFolder } from "./state";
import { handInText as words } from "./textHandIn";

export type SendState = keyof typeof words.states;

/** What became of a file. */
export interface Progress {
  readonly state: SendState;
  /** From 0 to 1, while it is sent. */
  readonly part?: number;
  /** What the server said, or why it was not sent. */
  readonly said?: string;
  /** In bytes, once it was opened. */
  readonly size?: number;
  /** The SHA-256 that the server counted, once it has the file. */
  readonly sha256?: string;
}

/** More files than these at once make nothing faster: the disk of the server is asked to keep each. */
const AT_ONCE = 3;
const SHOW_EVERY_MS = 150;
const MOST_WAITS = 30;

export const incoming = signal<readonly Incoming[] | null>(null);
export const cannotAsk = signal("");
export const target = signal("");
export const plan = signal<Plan | null>(null);
/** Whether names are sent as they should be. */
export const withRightNames = signal(true);
export const isSending = signal(false);
/** By the path of the file; a new map each time that something is shown. */
export const progress = signal<ReadonlyMap<string, Progress>>(new Map());

let source: Place | null = null;
let stopping = new AbortController();
const now = new Map<string, Progress>();
let shownAt = 0;

/** Where a file goes; empty where it cannot. */
export function targetOf(file: Planned): string {
  if (!file.reason) return file.target;
  return withRightNames.value ? file.corrected : "";
}

export const toSend = computed(() => (plan.value?.files ?? []).filter((file) => targetOf(file)));
export const received = computed<readonly Received[]>(() =>
  toSend.value.flatMap((file) => {
    const sha256 = progress.value.get(file.path)?.sha256;
    return sha256 ? [{ target: targetOf(file), sha256 }] : [];
  }),
);

/** Ask the server where the person may hand in. */
export async function askWhere(): Promise<void> {
  cannotAsk.value = "";
  try {
    for (let waits = 0; ; waits += 1) {
      const answer = await fetch("/?projects", { headers: { accept: "application/json" }, redirect: "manual" });
      if (answer.status === 503 && waits < MOST_WAITS) {
        await new Promise((resolve) => setTimeout(resolve, Math.min(2000, 100 * 2 ** waits)));
        continue;
      }
      if (answer.status === 401 || answer.type === "opaqueredirect") throw new Error(words.signedOut);
      if (!answer.ok) throw new Error(words.notOurs);
      const below = new URL(servedFolder(location, fragment.peek())).pathname;
      const found = readIncoming(await answer.json(), location.origin, below);
      const wanted = fragment.peek().get("to");
      incoming.value = found;
      target.value = (found.find((one) => `/${one.name}/` === wanted) ?? found[0])?.url ?? "";
      return;
    }
  } catch (error) {
    cannotAsk.value = reasonOf(error);
  }
}

/** Look at the names of a folder; nothing is sent yet. */
export async function look(from: Place): Promise<void> {
  const entries: Entry[] = [];
  try {
    for await (const batch of from.batches({ everything: true, onProblem: addProblem })) {
      for (const entry of batch) entries.push(entry);
    }
  } catch (error) {
    addProblem(from.name, reasonOf(error));
    return;
  }
  const found = planHandIn(from.name, entries);
  source = from;
  now.clear();
  // What is wrong is seen first.
  plan.value = { ...found, files: [...found.files].sort((a, b) => Number(Boolean(b.reason)) - Number(Boolean(a.reason))) };
  show();
  status.value = found.files.length ? "" : words.empty;
}

export function forget(): void {
  stop();
  plan.value = null;
  source = null;
  now.clear();
  show();
}

export function stop(): void {
  stopping.abort();
}

/** Send what the server has not said yet that it has: to go on after a stop is to call this again. */
export async function start(): Promise<void> {
  const from = source;
  if (!from || isSending.peek() || !target.peek()) return;
  const to = target.peek();
  stopping = new AbortController();
  const { signal: stopped } = stopping;
  isSending.value = true;
  const files = toSend.peek().filter((file) => !now.get(file.path)?.sha256);
  const warn = (event: BeforeUnloadEvent) => event.preventDefault();
  addEventListener("beforeunload", warn);
  try {
    // It takes them from the end.
    await runAll([...files].reverse(), AT_ONCE, (file) => handIn(from, file, to, stopped), stopped);
  } catch (error) {
    if (!stopped.aborted) addProblem(from.name, reasonOf(error));
  } finally {
    removeEventListener("beforeunload", warn);
    for (const [path, one] of now) if (one.state === "hashing" || one.state === "sending") now.delete(path);
    isSending.value = false;
    show();
  }
}

async function handIn(from: Place, file: Planned, to: string, stopped: AbortSignal): Promise<void> {
  const note = (next: Progress) => {
    if (stopped.aborted && !next.sha256) return;
    now.set(file.path, next);
    if (performance.now() - shownAt > SHOW_EVERY_MS) show();
  };
  try {
    note({ state: "hashing" });
    const content = await from.open(file.path);
    const sha256 = await sha256OfBlob(content, { signal: stopped });
    note({ state: "sending", part: 0 });
    const said = await put(to + encodePath(targetOf(file)), content, sha256, stopped, (part) => note({ state: "sending", part }));
    note({ ...said, sha256, size: content.size });
  } catch (error) {
    if (stopped.aborted) return;
    const said = reasonOf(error);
    note({ state: "refused", said });
    addProblem(file.path, said);
    // Nothing else will be taken either, until the person is known again.
    if (said === words.signedOut) stop();
  }
}

function show(): void {
  shownAt = performance.now();
  progress.value = new Map(now);
  if (plan.peek()?.files.length) status.value = words.progress(formatNumber(received.peek().length), formatNumber(toSend.peek().length));
}

/** Send a file; returns when the server says that it has these bytes, and throws with the reason where it has not. */
function put(address: string, content: File, sha256: string, stopped: AbortSignal, onPart: (part: number) => void): Promise<Progress> {
  return new Promise((resolve, reject) => {
    // "fetch" does not tell how far it is.
    const request = new XMLHttpRequest();
    const digest = btoa(String.fromCharCode(...(sha256.match(/../g) ?? []).map((pair) => parseInt(pair, 16))));
    const abort = () => request.abort();
    stopped.addEventListener("abort", abort);
    request.open("PUT", address);
    request.setRequestHeader("repr-digest", `sha-256=:${digest}:`);
    request.upload.onprogress = (event) => onPart(event.total ? event.loaded / event.total : 1);
    request.onloadend = () => stopped.removeEventListener("abort", abort);
    request.onabort = () => reject(new Error(words.broken));
    request.onerror = () => reject(new Error(words.broken));
    request.onload = () => {
      const line = request.responseText.split("\n")[0]!.slice(0, 500).trim();
      if (request.status === 401) reject(new Error(words.signedOut));
      else if (request.status === 404) reject(new Error(words.absent));
      else if (request.status !== 200 && request.status !== 201) reject(new Error(line || String(request.status)));
      else {
        // A sign-in page is answered with 200, too: only who names the digest has the file.
        const told = request.getResponseHeader("repr-digest");
        if (told === `sha-256=:${digest}:`) resolve({ state: request.status === 201 ? "taken" : "there", said: line });
        else reject(new Error(told ? words.otherBytes : words.notOurs));
      }
    };
    request.send(content);
  });
}
