/**
 * Unsaved text, kept in this browser while the page is served: a browser that closes loses nothing.
 *
 * From the disk nothing is kept, since every page that is opened from there could read it; a warning stands in for it.
 */
import { isServed } from "../shared/served";
import { place } from "./state";

interface Draft {
  readonly text: string;
  readonly time: number;
  /** The text that it was made from. */
  readonly base: string;
}

const STORE = "drafts";

function open(): Promise<IDBDatabase> {
  return new Promise((done, fail) => {
    const asked = indexedDB.open("zddc-mdedit", 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore(STORE);
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => fail(asked.error);
  });
}

async function run<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await open();
  try {
    return await new Promise<T>((done, fail) => {
      const asked = act(database.transaction(STORE, mode).objectStore(STORE));
      asked.onsuccess = () => done(asked.result);
      asked.onerror = () => fail(asked.error);
    });
  } finally {
    database.close();
  }
}

const keyOf = (path: string) => JSON.stringify([place.peek()?.kind, place.peek()?.name, path]);

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
  if (keepsDrafts()) await orNothing(run("readwrite", (store) => store.put({ text, base, time: Date.now() } satisfies Draft, keyOf(path))));
}

export async function forgetDraft(path: string): Promise<void> {
  if (keepsDrafts()) await orNothing(run("readwrite", (store) => store.delete(keyOf(path))));
}

/** Returns the draft of a document; null where there is none. */
export async function findDraft(path: string): Promise<Draft | null> {
  if (!keepsDrafts()) return null;
  return (await orNothing(run<Draft | undefined>("readonly", (store) => store.get(keyOf(path))))) ?? null;
}
