// Asks the server what is there for whoever asks.
import { signal } from "@preact/signals";
import { reasonOf } from "../shared/files/place.ts";
import { cameFromOurServer } from "../shared/served.ts";
import { readAccess, readPerson, readProjects, readTools, type Access, type Person, type Project, type Tool } from "./model.ts";
import { text } from "./text.ts";

export type State =
  | { readonly kind: "offline" | "loading" | "reading" | "signed-out" }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "ready"; readonly projects: readonly Project[] };

export const state = signal<State>({ kind: "offline" });
export const who = signal<Person | null>(null);
export const tools = signal<readonly Tool[]>([]);

const ASK_AGAIN_MS = 2000;
let waiting: ReturnType<typeof setTimeout> | undefined;
/** Counts how often was asked: only the last answer is shown. */
let asked = 0;

/** Names of projects that the address restricts the page to: `?projects=a,b`. */
export function restriction(): string[] {
  return (new URLSearchParams(location.search).get("projects") ?? "").split(",").filter(Boolean);
}

/** What the server says instead of an answer. */
class Refusal extends Error {
  constructor(readonly kind: "signed-out" | "reading") {
    super(kind);
  }
}

async function ask(path: string): Promise<unknown> {
  // A sign-in in front of the server leads elsewhere; to follow it there is against the policy of the page.
  const answer = await fetch(path, { headers: { accept: "application/json" }, redirect: "manual", cache: "no-cache" });
  if (answer.status === 401 || answer.type === "opaqueredirect") throw new Refusal("signed-out");
  if (answer.status === 503) throw new Refusal("reading");
  if (!answer.ok) throw new Error(String(answer.status));
  if (!answer.headers.get("content-type")?.startsWith("application/json")) throw new Refusal("signed-out");
  return answer.json();
}

/** Asks for everything the page shows, and again by itself while the archive is being read. */
export async function load(): Promise<void> {
  if (!cameFromOurServer()) return;
  clearTimeout(waiting);
  const mine = (asked += 1);
  // What is asked for again by itself says so all the while.
  if (state.value.kind !== "ready" && state.value.kind !== "reading") state.value = { kind: "loading" };
  const wanted = restriction().map(encodeURIComponent).join(",");
  try {
    const [profile, list] = await Promise.all([ask("/.profile/"), ask("/_tools/")]);
    if (mine !== asked) return;
    who.value = readPerson(profile);
    tools.value = readTools(list, new URL("/_tools/", location.href).href);
    const projects = readProjects(await ask(`/?projects=${wanted}`), location.origin);
    if (mine !== asked) return;
    state.value = projects ? { kind: "ready", projects } : { kind: "failed", reason: text.states.notUnderstood };
  } catch (fault) {
    if (mine !== asked) return;
    state.value = fault instanceof Refusal ? { kind: fault.kind } : { kind: "failed", reason: reasonOf(fault) };
    if (state.value.kind === "reading") waiting = setTimeout(load, ASK_AGAIN_MS);
  }
}

/** Asks why somebody may see a path. */
export async function askAccess(path: string): Promise<Access> {
  return readAccess(await ask(`/.profile/access?path=${encodeURIComponent(path)}`));
}
