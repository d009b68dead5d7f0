/** A disk in memory that fails on command, for the tests of renames. */
import { type Disk, DiskError, type FailureKind } from "../classifier/model/disk";
import { folderOf, joinPath, nameOf } from "../shared/files/place";

export type Act = "names" | "state" | "rename" | "read" | "write" | "writeAt" | "remove";

export class MemoryDisk implements Disk {
  readonly files = new Map<string, { text: string; modified: number }>();
  readonly folders = new Set<string>([""]);
  /** Called before each act; what it returns is thrown. */
  fail: (act: Act, path: string, to?: string) => FailureKind | null = () => null;
  readonly acts: string[] = [];

  constructor(files: Record<string, string> = {}) {
    for (const [path, text] of Object.entries(files)) this.put(path, text);
  }

  put(path: string, text: string): void {
    this.files.set(path, { text, modified: 1000 });
    for (let folder = folderOf(path); folder; folder = folderOf(folder)) this.folders.add(folder);
  }

  /** All files but journals, with their text. */
  get tree(): Record<string, string> {
    const found = [...this.files].filter(([path]) => !path.startsWith(".zddc-rename-"));
    return Object.fromEntries(found.sort().map(([path, { text }]) => [path, text]));
  }

  get journals(): string[] {
    return [...this.files.keys()].filter((path) => path.startsWith(".zddc-rename-")).sort();
  }

  #act(act: Act, path: string, to?: string): void {
    const kind = this.fail(act, path, to);
    if (kind) throw new DiskError(kind, kind);
    this.acts.push(`${act} ${path}${to === undefined ? "" : ` > ${to}`}`);
  }

  #file(path: string): { text: string; modified: number } {
    const file = this.files.get(path);
    if (!file) throw new DiskError("absent", `${path} is absent`);
    return file;
  }

  async names(folder: string): Promise<Map<string, "file" | "directory">> {
    this.#act("names", folder);
    const names = new Map<string, "file" | "directory">();
    for (const path of this.folders) if (path && folderOf(path) === folder) names.set(nameOf(path), "directory");
    for (const path of this.files.keys()) if (folderOf(path) === folder) names.set(nameOf(path), "file");
    return names;
  }

  async state(path: string): Promise<{ size: number; modified: number }> {
    this.#act("state", path);
    const { text, modified } = this.#file(path);
    return { size: new TextEncoder().encode(text).length, modified };
  }

  async rename(path: string, newName: string): Promise<void> {
    this.#act("rename", path, newName);
    const file = this.#file(path);
    const target = joinPath(folderOf(path), newName);
    if (this.files.has(target) || this.folders.has(target)) throw new DiskError("taken", `${target} is taken`);
    this.files.delete(path);
    this.files.set(target, file);
  }

  async read(path: string): Promise<Uint8Array> {
    this.#act("read", path);
    return new TextEncoder().encode(this.#file(path).text);
  }

  async write(path: string, text: string, { mustNotExist }: { mustNotExist: boolean }): Promise<void> {
    this.#act("write", path);
    if (mustNotExist && this.files.has(path)) throw new DiskError("taken", `${path} is taken`);
    this.put(path, text);
  }

  async writeAt(path: string, at: number, text: string): Promise<void> {
    this.#act("writeAt", path);
    const file = this.#file(path);
    file.text = file.text.slice(0, at) + text;
  }

  async remove(path: string): Promise<void> {
    this.#act("remove", path);
    this.#file(path);
    this.files.delete(path);
  }
}
