// What the server says about projects, read with care: it may be another server than one of ours.

export interface Transmittal {
  readonly date: string;
  readonly name: string;
  readonly url: string;
}

export interface Project {
  readonly name: string;
  readonly title: string;
  /** Null where it may not be read. */
  readonly url: string | null;
  readonly isEntry: boolean;
  readonly documents: number;
  readonly transmittals: number;
  readonly latest: string;
  readonly recent: readonly Transmittal[];
  readonly incoming: readonly { readonly name: string; readonly url: string }[];
}

export interface Person {
  readonly email: string | null;
  readonly via: string;
  readonly isAdmin: boolean;
}

export interface Tool {
  readonly name: string;
  readonly url: string;
  readonly size: number;
  readonly sha256: string;
}

export interface Access {
  readonly path: string;
  readonly read: boolean;
  readonly handIn: boolean;
  readonly why: string;
}

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);
const text = (value: unknown): string => (typeof value === "string" ? value : "");
const count = (value: unknown): number => (typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : 0);
const list = (value: unknown): readonly Fields[] => (Array.isArray(value) ? value.filter(isFields) : []);

/** Returns an address of the same server, as it may stand in a link; null for all else, such as a script. */
export function ownAddress(value: unknown, base: string): string | null {
  if (typeof value !== "string") return null;
  try {
    const url = new URL(value, base);
    return url.origin === new URL(base).origin && /^https?:$/.test(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

/** Returns the projects in what `/?projects` gave; null where that is no list. */
export function readProjects(found: unknown, base: string): Project[] | null {
  if (!Array.isArray(found)) return null;
  return list(found).flatMap((one) => {
    const name = text(one.name).replace(/\/$/, "");
    const url = ownAddress(one.url, base);
    if (!name || url === null) return [];
    const linked = (value: unknown) =>
      list(value).flatMap((entry) => {
        const address = ownAddress(entry.url, base);
        return address ? [{ date: text(entry.date), name: text(entry.name), url: address }] : [];
      });
    return [
      {
        name,
        title: text(one.title),
        url: one.may_read === false ? null : url,
        isEntry: one.entry === true,
        documents: count(one.documents),
        transmittals: count(one.transmittals),
        latest: text(one.latest),
        recent: linked(one.recent),
        incoming: linked(one.incoming),
      },
    ];
  });
}

export function readPerson(found: unknown): Person {
  const fields = isFields(found) ? found : {};
  return {
    email: typeof fields.email === "string" ? fields.email : null,
    via: text(fields.via),
    isAdmin: fields.is_admin === true,
  };
}

export function readTools(found: unknown, base: string): Tool[] {
  return list(found).flatMap((one) => {
    const url = ownAddress(one.url, base);
    const name = /^([a-z]+)\.html$/.exec(text(one.name))?.[1];
    const sha256 = text(one.sha256);
    return url && name && /^[0-9a-f]{64}$/.test(sha256) ? [{ name, url, size: count(one.size), sha256 }] : [];
  });
}

export function readAccess(found: unknown): Access {
  const fields = isFields(found) ? found : {};
  return { path: text(fields.path), read: fields.read === true, handIn: fields.hand_in === true, why: text(fields.why) };
}

export const COLUMNS = ["title", "documents", "transmittals", "latest"] as const;
export type Column = (typeof COLUMNS)[number];

/** Reads `-latest` as the column and that its largest comes first; what is no column is the title. */
export function readSort(value: string | null): { column: Column; isDown: boolean } {
  const column = COLUMNS.find((one) => value === one || value === `-${one}`) ?? "title";
  return { column, isDown: value === `-${column}` };
}

/** Returns the projects that have all words of a text in title or name: those with a star first, then in order. */
export function arrange(
  projects: readonly Project[],
  wanted: string,
  sort: { column: Column; isDown: boolean },
  stars: ReadonlySet<string>,
): Project[] {
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  const key = (one: Project, column: Column) => String(column === "title" ? one.title || one.name : one[column]);
  const by = (column: Column) => (a: Project, b: Project) =>
    key(a, column).localeCompare(key(b, column), undefined, { numeric: true });
  const compare = by(sort.column);
  return projects
    .filter((one) => {
      const text = `${one.title} ${one.name}`.toLowerCase();
      return words.every((word) => text.includes(word));
    })
    .sort(
      (a, b) =>
        Number(stars.has(b.name)) - Number(stars.has(a.name)) || (sort.isDown ? compare(b, a) : compare(a, b)) || by("title")(a, b),
    );
}

/** Returns where the archive page hands in to a project: in its folder, or beside it where that may not be read. */
export function handInAddress(project: Project): string {
  const view = new URLSearchParams({ view: "hand-in", to: `/${project.incoming[0]?.name ?? ""}/` });
  return `${project.url ?? "/_tools/archive.html"}#${view}`;
}

/** Returns the latest transmittals of all projects, the newest first. */
export function latestOf(projects: readonly Project[], most: number): (Transmittal & { project: string })[] {
  return projects
    .flatMap((project) => project.recent.map((one) => ({ ...one, project: project.title || project.name })))
    .sort((a, b) => b.date.localeCompare(a.date) || a.name.localeCompare(b.name))
    .slice(0, most);
}
