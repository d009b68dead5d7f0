/** Asks the worker what an expression finds, and ends it where that takes too long. */
import type { Fields } from "../model/columns";
import { PatternError, type Search } from "../model/patterns";
import { text } from "../text";
import code from "./worker.ts?bundle";

export type Question =
  | { kind: "split"; pattern: string; texts: readonly string[] }
  | { kind: "replace"; search: Search; texts: readonly string[] };
export type Answer = { found: readonly unknown[]; problem?: undefined } | { problem: string };

const MOST_MS = 2000;

interface Policy {
  createScriptURL(address: string): string;
}
type PageWithTypes = typeof globalThis & {
  trustedTypes?: { createPolicy(name: string, rules: Policy): Policy };
};

const policy = (globalThis as PageWithTypes).trustedTypes?.createPolicy("zddc-worker", {
  createScriptURL: (address) => address,
});

/** What an answer is for: shown while somebody writes, or put into the sheet. */
export type Purpose = "preview" | "apply";

/** Return what a pattern finds in each name, null where it does not match; throws {@link PatternError}. */
export async function evaluateSplit(pattern: string, names: readonly string[], purpose: Purpose): Promise<(Partial<Fields> | null)[]> {
  return (await askerOf("split", purpose).ask({ kind: "split", pattern, texts: names })) as (Partial<Fields> | null)[];
}

/** Return each text with everything replaced that a search finds; throws {@link PatternError}. */
export async function evaluateReplacement(search: Search, texts: readonly string[], purpose: Purpose): Promise<string[]> {
  return (await askerOf("replace", purpose).ask({ kind: "replace", search, texts })) as string[];
}

/** A worker for each rule and purpose: what is only shown never ends what somebody waits for. */
const askers = new Map<string, Asker>();

function askerOf(kind: Question["kind"], purpose: Purpose): Asker {
  const key = `${kind} ${purpose}`;
  let known = askers.get(key);
  if (!known) askers.set(key, (known = new Asker()));
  return known;
}

class Asker {
  #worker: Worker | null = null;
  #endLast: (() => void) | null = null;

  /** A question that is asked before the last one is answered takes its place: then that one is never answered. */
  ask(question: Question): Promise<readonly unknown[]> {
    this.#endLast?.();
    return new Promise((resolve, reject) => {
      const running = (this.#worker ??= start());
      const end = () => {
        clearTimeout(timer);
        running.terminate();
        this.#worker = null;
        this.#endLast = null;
      };
      const timer = setTimeout(() => {
        end();
        reject(new PatternError(text.tooSlow));
      }, MOST_MS);
      this.#endLast = end;
      running.onmessage = ({ data }: MessageEvent<Answer>) => {
        clearTimeout(timer);
        this.#endLast = null;
        if (data.problem === undefined) resolve(data.found);
        else reject(new PatternError(data.problem));
      };
      running.onerror = (event) => {
        end();
        reject(new PatternError(event.message));
      };
      running.postMessage(question);
    });
  }
}

function start(): Worker {
  const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const made = new Worker(policy ? policy.createScriptURL(address) : address);
  // A worker reads its script in its own time.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
  return made;
}
