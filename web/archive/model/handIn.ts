/** What of a folder can be handed in, and under which names: the rules of a server's incoming folder, before it is asked. */
import { isPrivate, type Entry } from "../../shared/files/place";
import { looksLikeFolder, parseFilename, parseFoldername, suggestFilename, suggestFoldername } from "../../shared/naming";
import { windowsProblem } from "../../shared/windowsNames";

const LIST_NAME = "SHA256SUMS";

/** A file that may be handed in. */
export interface Planned {
  /** Where it is below the folder that was chosen. */
  readonly path: string;
  /** Where it goes below the incoming folder, under the names that it has. */
  readonly target: string;
  /** Why no server takes it under these names; empty where one does. */
  readonly reason: string;
  /** Where it goes under the right names; empty where they are right, or where there is no single correction. */
  readonly corrected: string;
  /** In bytes; null where the file has to be opened to know. */
  readonly size: number | null;
}

export interface Plan {
  readonly files: readonly Planned[];
  /** Whether a transmittal lists names that are wrong: corrected here, they would no longer be those in its list. */
  readonly isListed: boolean;
}

/** An incoming folder of a server. */
export interface Incoming {
  readonly name: string;
  readonly url: string;
}

/**
 * Judges the files of a folder that is a transmittal, or has transmittals in it.
 *
 * As src/zddc/server/drop_names.py does: the transmittal folder and the files follow the convention, with one folder
 * between them at most; the page of the transmittal and the list of its SHA-256 may be there too.
 */
export function planHandIn(folderName: string, entries: readonly Entry[]): Plan {
  const isTransmittal = looksLikeFolder(folderName) || parseFoldername(folderName).valid;
  const found = entries
    .filter((entry) => !entry.isFolder && !entry.path.split("/").some(isPrivate))
    .map((entry) => {
      const parts = entry.path.split("/");
      return judge(entry, isTransmittal || parts.length === 1 ? [folderName, ...parts] : parts);
    });
  const listed = new Set(found.filter((one) => one.isList).map((one) => one.folder));
  const wrong = found.filter((one) => one.planned.corrected);
  const files = found.map((one) => (listed.has(one.folder) ? { ...one.planned, corrected: "" } : one.planned));
  return { files: markTwins(files), isListed: wrong.some((one) => listed.has(one.folder)) };
}

function judge(entry: Entry, names: readonly string[]): { planned: Planned; folder: string; isList: boolean } {
  const [transmittal, name] = [names[0]!, names.at(-1)!];
  const folder = parseFoldername(transmittal);
  const stem = name.endsWith(".html") ? parseFoldername(name.slice(0, -".html".length)) : null;
  const isPage = stem !== null && stem.valid && (["date", "trackingNumber", "status", "title"] as const).every((part) => stem[part] === folder[part]);
  const file = name === LIST_NAME || isPage ? null : parseFilename(name);
  const isList = file === null || (file.valid && file.extension === "html" && file.trackingNumber === folder.trackingNumber);
  const windows = names.map(windowsProblem).find(Boolean) ?? "";
  const own = names.length > 3 ? "it lies more than one folder deep in the transmittal" : windows || (file && !file.valid ? file.reason : "");
  const reason = own || (folder.valid ? "" : `the folder '${transmittal}' is no transmittal: ${folder.reason}`);
  const right = [...names];
  if (!folder.valid) right[0] = suggestFoldername(transmittal)?.corrected ?? "";
  if (file && !file.valid) right[right.length - 1] = suggestFilename(name).corrected;
  const canCorrect = reason && names.length <= 3 && right.every(Boolean) && !right.some(windowsProblem);
  return {
    planned: { path: entry.path, target: names.join("/"), reason, corrected: canCorrect ? right.join("/") : "", size: entry.size ?? null },
    folder: transmittal,
    isList,
  };
}

/** Two files whose names some system takes for one cannot both be handed in, corrected or not. */
function markTwins(files: readonly Planned[]): readonly Planned[] {
  const count = new Map<string, number>();
  const keyOf = (file: Planned) => (file.corrected || file.target).normalize("NFD").toLowerCase();
  for (const file of files) count.set(keyOf(file), (count.get(keyOf(file)) ?? 0) + 1);
  return files.map((file) =>
    count.get(keyOf(file))! > 1 && !(file.reason && !file.corrected)
      ? { ...file, reason: "two files would have this name", corrected: "" }
      : file,
  );
}

/** Returns the incoming folders that `/?projects` tells of, those below a folder of the server first. */
export function readIncoming(found: unknown, origin: string, below: string): Incoming[] {
  const list = (value: unknown) => (Array.isArray(value) ? (value as unknown[]).filter((one) => typeof one === "object" && one !== null) : []) as Record<string, unknown>[];
  const all = list(found).flatMap((project) =>
    list(project["incoming"]).flatMap(({ name, url }) => {
      if (typeof name !== "string" || typeof url !== "string" || !URL.canParse(url, origin)) return [];
      const address = new URL(url, origin);
      return address.origin === origin && address.pathname.endsWith("/") ? [{ name, url: address.href }] : [];
    }),
  );
  const isBelow = (one: Incoming) => new URL(one.url).pathname.startsWith(below);
  return [...all.filter(isBelow), ...all.filter((one) => !isBelow(one))];
}

/** A file that a server has: what it is, and that the server counted the same SHA-256. */
export interface Received {
  readonly target: string;
  readonly sha256: string;
}

/** Returns a receipt as text: where and when, as whom, then the SHA-256 of each file, as `sha256sum -c` reads it. */
export function formatReceipt(head: readonly string[], received: readonly Received[]): string {
  const lines = [...received].sort((a, b) => (a.target < b.target ? -1 : 1)).map((one) => `${one.sha256}  ${one.target}`);
  return [...head.map((line) => `# ${line}`), ...lines, ""].join("\n");
}
