/** A place on a server: one request for all files where "zddc serve" answers, else folder by folder as JSON. */
import { filesText } from "../text/files";
import { batchesOf, runAll } from "./batches";
import { parseTime } from "./indexFile";
import { addFolders } from "./input";
import {
  DEEPEST_FOLDER,
  type Entry,
  type ListOptions,
  type Place,
  PlaceError,
  fileEntry,
  flatten,
  folderEntry,
  isPlainName,
  isPrivate,
  joinPath,
  reasonOf,
  splitPath,
} from "./place";

const FOLDERS_AT_ONCE = 8;
const MOST_WAITS = 30;
const LONGEST_WAIT_MS = 10_000;

/** One line of a listing, in the words of Caddy and of nginx. */
interface Line {
  path?: unknown;
  name?: unknown;
  size?: unknown;
  mod_time?: unknown;
  mtime?: unknown;
  is_dir?: unknown;
  type?: unknown;
}

/** Return the place at an address of a folder. */
export function fromServer(url: string): Place {
  return new ServerPlace(new URL(".", new URL(url, document.baseURI)));
}

class ServerPlace implements Place {
  readonly kind = "server";
  readonly canWrite = false;
  readonly name: string;
  #base: URL;

  constructor(base: URL) {
    this.#base = base;
    const last = base.pathname.split("/").at(-2) ?? "";
    this.name = decodeName(last) || base.host;
  }

  list(options: ListOptions): AsyncIterable<Entry> {
    return flatten(this.batches(options));
  }

  async *batches(options: ListOptions): AsyncIterable<Entry[]> {
    const answer = await this.#ask("?recursive=1", "application/x-ndjson", options.signal);
    if (answer.ok && isType(answer, "application/x-ndjson") && answer.body) {
      yield* linesOf(answer.body, options);
      return;
    }
    await answer.body?.cancel();
    if (answer.status === 401 || answer.status === 407) throw new PlaceError("signedOut", filesText.signedOut);
    yield* this.#folderByFolder(options);
  }

  #folderByFolder(options: ListOptions): AsyncIterable<Entry[]> {
    return batchesOf<Entry>(async (add) => {
      const pending: { path: string; depth: number }[] = [{ path: "", depth: 0 }];
      const read = async ({ path, depth }: { path: string; depth: number }) => {
        try {
          const entries = await this.#readFolder(path, options);
          add(entries);
          for (const entry of entries) {
            if (!entry.isFolder) continue;
            if (depth === DEEPEST_FOLDER) options.onProblem(entry.path, filesText.tooDeep(DEEPEST_FOLDER));
            else pending.push({ path: entry.path, depth: depth + 1 });
          }
        } catch (error) {
          const isSignedOut = error instanceof PlaceError && error.kind === "signedOut";
          if (!path || isSignedOut || options.signal?.aborted) throw error;
          options.onProblem(path, filesText.cannotList(reasonOf(error)));
        }
      };
      await runAll(pending, FOLDERS_AT_ONCE, read, options.signal);
    });
  }

  async #readFolder(path: string, options: ListOptions): Promise<Entry[]> {
    const answer = await this.#ask(path ? `${encodePath(path)}/` : "", "application/json", options.signal);
    if (answer.status === 401 || answer.status === 407) throw new PlaceError("signedOut", filesText.signedOut);
    if (!answer.ok) throw new PlaceError("unreadable", filesText.answered(answer.status));
    const lines: unknown = await answer.json().catch(() => null);
    // An empty folder is null in the listings of some versions of Caddy.
    if (!Array.isArray(lines) && !(lines === null && isType(answer, "application/json"))) {
      throw new PlaceError("unreadable", filesText.notAListing);
    }
    const entries: Entry[] = [];
    for (const line of (lines ?? []) as Line[]) {
      if (typeof line?.name !== "string") continue;
      const isFolder = line.is_dir === true || line.type === "directory";
      const name = isFolder ? line.name.replace(/\/$/, "") : line.name;
      if (!isServedName(name)) options.onProblem(joinPath(path, name), filesText.refusedReason);
      else if (isPrivate(name)) continue;
      else if (isFolder) entries.push(folderEntry(path, name));
      else entries.push(fileEntry(path, name, sizeOf(line), timeOf(line)));
    }
    return entries;
  }

  async open(path: string): Promise<File> {
    let answer: Response;
    try {
      answer = await this.#ask(encodePath(path), "*/*");
    } catch (error) {
      throw new PlaceError("unreadable", `${path}: ${reasonOf(error)}`);
    }
    if (answer.status === 401 || answer.status === 407) throw new PlaceError("signedOut", filesText.signedOut);
    if (answer.status === 404) throw new PlaceError("absent", filesText.absent(path));
    if (!answer.ok) throw new PlaceError("unreadable", `${path}: ${filesText.answered(answer.status)}`);
    const blob = await answer.blob();
    const modified = Date.parse(answer.headers.get("last-modified") ?? "");
    return new File([blob], splitPath(path)[1], Number.isNaN(modified) ? {} : { lastModified: modified });
  }

  address(path: string): string {
    return new URL(encodePath(path), this.#base).href;
  }

  /** Ask, and ask again while the server says that it is not ready yet. */
  async #ask(relative: string, accept: string, signal?: AbortSignal): Promise<Response> {
    // A path such as "a:b" would be an address of its own; "./" keeps it below the place.
    const url = new URL(`./${relative}`, this.#base);
    for (let waits = 0; ; waits += 1) {
      const answer = await fetch(url, { headers: { accept }, ...(signal ? { signal } : {}) });
      const seconds = Number(answer.headers.get("retry-after") ?? "");
      if (answer.status !== 503 || !seconds || waits === MOST_WAITS) return answer;
      await answer.body?.cancel();
      // The first times sooner than the server asks for: an index is mostly made within a second.
      const wait = Math.min(seconds * 1000, LONGEST_WAIT_MS, 100 * 2 ** waits);
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}

async function* linesOf(body: ReadableStream<Uint8Array>, options: ListOptions): AsyncGenerator<Entry[]> {
  const reader = body.pipeThrough(new TextDecoderStream() as unknown as TransformStream<Uint8Array, string>).getReader();
  const folders = new Set<string>();
  const state = { line: 0 };
  let rest = "";
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      options.signal?.throwIfAborted();
      const end = read.value.lastIndexOf("\n");
      if (end < 0) {
        rest += read.value;
        continue;
      }
      const whole = rest + read.value.slice(0, end);
      rest = read.value.slice(end + 1);
      yield parseLines(whole, folders, state, options);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
  if (rest) yield parseLines(rest, folders, state, options);
}

/** Return the entries of lines of JSON, and of folders that they are the first to be in. */
export function parseLines(text: string, folders: Set<string>, state: { line: number }, options: ListOptions): Entry[] {
  const entries: Entry[] = [];
  for (const line of text.split("\n")) {
    state.line += 1;
    if (!line) continue;
    let read: Line | null = null;
    try {
      read = JSON.parse(line) as Line | null;
    } catch {
      // told below
    }
    if (typeof read?.path !== "string") {
      options.onProblem("", filesText.notALine(state.line));
      continue;
    }
    const path = read.path;
    const parts = path.split("/");
    if (!parts.every(isServedName)) {
      options.onProblem(path, filesText.refusedReason);
      continue;
    }
    if (parts.some(isPrivate)) continue;
    if (parts.length > DEEPEST_FOLDER + 1) {
      options.onProblem(path, filesText.tooDeep(DEEPEST_FOLDER));
      continue;
    }
    const [folder, name] = splitPath(path);
    addFolders(folder, folders, entries);
    entries.push(fileEntry(folder, name, sizeOf(read), timeOf(read), path));
  }
  return entries;
}

/** Return a path as it stands in an address. */
export function encodePath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

/** Whether a server may list a name: in an address, a backslash can be read as a slash. */
function isServedName(name: string): boolean {
  return isPlainName(name) && !name.includes("\\");
}

function sizeOf(line: Line): number | undefined {
  return typeof line.size === "number" && line.size >= 0 ? line.size : undefined;
}

function timeOf(line: Line): number | undefined {
  return parseTime(line.mod_time ?? line.mtime);
}

function isType(answer: Response, type: string): boolean {
  return (answer.headers.get("content-type") ?? "").split(";")[0]!.trim() === type;
}

function decodeName(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
