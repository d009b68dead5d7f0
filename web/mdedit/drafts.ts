/**
 * Unsaved text, kept in this browser while the page is served: a browser that closes loses nothing.
 *
 * From the disk nothing is kept, since every page that is opened from there could read it; a warning stands in for it.
 */
import type { Place } from "../shared/files";
import { isServed } from "../shared/served";
import { place } from "./state";

interface Draft {
  readonly text: string;
  readonly time: number;
  /** The text that it was made from. */
  readonly base: string;
}

/** Folders are kept to tell those of one name apart; the key is the number of one. */
type Store = "drafts" | "folders";

function open(): Promise<IDBDatabase> {
  return new Promise((done, fail) => {
    const asked = indexedDB.open("zddc-mdedit", 2);
    asked.onupgradeneeded = ({ oldVersion }) => {
      if (oldVersion < 1) asked.result.createObjectStore("drafts");
      asked.result.createObjectStore("folders", { autoIncrement: true });
    };
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => fail(asked.error);
  });
}

async function run<T>(name: Store, mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await open();
  try {
    return await new Promise<T>((done, fail) => {
      const asked = act(database.transaction(name, mode).objectStore(name));
      asked.onsuccess = () => done(asked.result);
      asked.onerror = () => fail(asked.error);
    });
  } finally {
    database.close();
  }
}

const numbers = new WeakMap<Place, Promise<number | undefined>>();

/** Returns what tells a folder on disk from others of its name; nothing of another place, or where it cannot be kept. */
function numberOf(from: Place): Promise<number | undefined> {
  const folder = from.handle;
  if (!folder) return Promise.resolve(undefined);
  // Two windows would give a new folder two numbers.
  const known = numbers.get(from) ?? orNothing(navigator.locks.request("zddc-mdedit-folders", () => findNumber(folder)));
  numbers.set(from, known);
  return known;
}

async function findNumber(folder: FileSystemDirectoryHandle): Promise<number> {
  const kept = await run<FileSystemDirectoryHandle[]>("folders", "readonly", (store) => store.getAll());
  const keys = await run("folders", "readonly", (store) => store.getAllKeys());
  for (const [at, one] of kept.entries()) if (await one.isSameEntry(folder)) return keys[at] as number;
  return (await run("folders", "readwrite", (store) => store.add(folder))) as number;
}

async function keyOf(path: string): Promise<string> {
  const from = place.peek();
  return JSON.stringify([from?.kind, from?.name, path, ...(from ? [await numberOf(from)] : [])]);
}

export function keepsDrafts(): boolean {
  return isServed() && typeof indexedDB === "object";
}

/** A browser may keep nothing, or be full: then a draft is only in memory, as it is from the disk. */
async function orNothing<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch {
    return undefined;
  }
}

export async function keepDraft(path: string, text: string, base: string): Promise<void> {
  if (!keepsDrafts()) return;
  const key = await keyOf(path);
  await orNothing(run("drafts", "readwrite", (store) => store.put({ text, base, time: Date.now() } satisfies Draft, key)));
}

export async function forgetDraft(path: string): Promise<void> {
  if (!keepsDrafts()) return;
  const key = await keyOf(path);
  await orNothing(run("drafts", "readwrite", (store) => store.delete(key)));
}

/** Returns the draft of a document; null where there is none. */
export async function findDraft(path: string): Promise<Draft | null> {
  if (!keepsDrafts()) return null;
  const key = await keyOf(path);
  return (await orNothing(run<Draft | undefined>("drafts", "readonly", (store) => store.get(key)))) ?? null;
}
