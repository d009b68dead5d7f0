// The table of projects, and the latest transmittals in them.
import { computed, signal, useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { reasonOf } from "../shared/files/place.ts";
import { HELP, Icon, IconButton, STAR } from "../shared/icons.tsx";
import { afterDrawing } from "../shared/regions.ts";
import { formatNumber, fragment, Modal, openDialog, recall, remember, setFragment, status } from "../shared/shell.tsx";
import { visible } from "../shared/visible.ts";
import { arrange, COLUMNS, handInAddress, latestOf, readSort, type Access, type Column, type Project } from "./model.ts";
import { Section } from "./section.tsx";
import { askAccess, restriction, state } from "./server.ts";
import { text } from "./text.ts";

const MOST_RECENT = 12;

const stars = signal<ReadonlySet<string>>(new Set());

export function readStars(): void {
  try {
    const kept: unknown = JSON.parse(recall("stars") ?? "[]");
    stars.value = new Set(Array.isArray(kept) ? kept.filter((one) => typeof one === "string") : []);
  } catch {
    stars.value = new Set();
  }
}

function toggleStar(name: string): void {
  const next = new Set(stars.value);
  if (!next.delete(name)) next.add(name);
  stars.value = next;
  remember("stars", next.size ? JSON.stringify([...next].sort()) : null);
}

const wanted = computed(() => fragment.value.get("q") ?? "");
const sort = computed(() => readSort(fragment.value.get("sort")));
const all = computed(() => (state.value.kind === "ready" ? state.value.projects : []));
const shown = computed(() => arrange(all.value, wanted.value, sort.value, stars.value));

export function ProjectSearch(): JSX.Element {
  return (
    <input
      type="search"
      data-search
      aria-label={text.search}
      placeholder={text.search}
      value={wanted.value}
      onInput={(event) => setFragment({ q: event.currentTarget.value })}
      onKeyDown={(event) => {
        if (event.key === "ArrowDown" || event.key === "Enter") {
          event.preventDefault();
          const first = document.querySelector<HTMLAnchorElement>(".projects a.open");
          if (event.key === "Enter" && shown.value.length === 1) first?.click();
          else first?.focus();
        } else if (event.key === "Escape" && wanted.value) {
          event.preventDefault();
          setFragment({ q: null });
        }
      }}
    />
  );
}

/** Arrow keys go from project to project, Space stars the one that has the focus. */
function onKeyDown(event: KeyboardEvent & { currentTarget: HTMLElement }): void {
  const links = [...event.currentTarget.querySelectorAll<HTMLAnchorElement>("a.open")];
  const at = links.findIndex((one) => one === document.activeElement);
  if (at < 0) return;
  const target = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }[event.key];
  if (target !== undefined) {
    event.preventDefault();
    if (target < 0) document.querySelector<HTMLElement>("[data-search]")?.focus();
    else links[Math.min(target, links.length - 1)]?.focus();
  } else if (event.key === " ") {
    event.preventDefault();
    const name = links[at]?.dataset.name;
    if (name === undefined) return;
    toggleStar(name);
    // The row has moved: the focus stays with the project.
    afterDrawing(() => document.querySelector<HTMLElement>(`.projects [data-name="${CSS.escape(name)}"]`)?.focus());
  }
}

export function Projects(): JSX.Element {
  const { column, isDown } = sort.value;
  useEffect(() => {
    status.value = text.projects.shown(formatNumber(shown.value.length), formatNumber(all.value.length));
  }, [shown.value]);
  const restricted = restriction();
  return (
    <Section class="projects" id="projects" title={text.projects.title}>
      {restricted.length > 0 && (
        <p class="notice">
          <span>{text.projects.restricted(restricted.map(visible).join(", "))}</span> <a href="/">{text.projects.showAll}</a>
        </p>
      )}
      {shown.value.length === 0 ? (
        <p class="card empty">
          {text.projects.noMatch}{" "}
          <button type="button" onClick={() => setFragment({ q: null })}>
            {text.projects.clear}
          </button>
        </p>
      ) : (
        <div class="card flush" onKeyDown={onKeyDown}>
          <table class="rows">
            <thead>
              <tr>
                {COLUMNS.map((one) => (
                  <th
                    key={one}
                    scope="col"
                    class={`is-${one}`}
                    aria-sort={one === column ? (isDown ? "descending" : "ascending") : undefined}
                  >
                    <button type="button" title={text.projects.sortBy(text.projects.columns[one])} onClick={() => changeSort(one)}>
                      {text.projects.columns[one]}
                      <span aria-hidden="true">{one === column ? (isDown ? "↓" : "↑") : ""}</span>
                    </button>
                  </th>
                ))}
                <th scope="col" class="is-hand-in">
                  {text.projects.columns.handIn}
                </th>
                <th scope="col">
                  <span class="visually-hidden">{text.projects.why}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.value.map((project) => (
                <Row key={project.name} project={project} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Section>
  );
}

function changeSort(column: Column): void {
  const now = sort.value;
  const isNumber = column !== "title";
  const isDown = now.column === column ? !now.isDown : isNumber;
  setFragment({ sort: column === "title" && !isDown ? null : `${isDown ? "-" : ""}${column}` });
}

function Row({ project }: { project: Project }): JSX.Element {
  const name = visible(project.title || project.name);
  const isStarred = stars.value.has(project.name);
  const label = isStarred ? text.projects.unstar(name) : text.projects.star(name);
  const [first] = project.incoming;
  return (
    <tr>
      <td class="is-title">
        <div class="project">
          <button type="button" class={`quiet star ${isStarred ? "on" : ""}`} aria-pressed={isStarred} aria-label={label} title={label} onClick={() => toggleStar(project.name)}>
            <Icon shape={STAR} />
          </button>
          <div class="names">
            {project.url ? (
              <a class="open" href={project.url} data-name={project.name}>
                {name}
              </a>
            ) : (
              <span>{name}</span>
            )}
            {project.title && <span class="muted breaks">{visible(project.name)}</span>}
            {project.url === null ? (
              <span class="badge" title={text.projects.handInOnlyHint}>
                {text.projects.handInOnly}
              </span>
            ) : (
              project.isEntry && (
                <span class="badge accent" title={text.projects.entryHint}>
                  {text.projects.entry}
                </span>
              )
            )}
          </div>
        </div>
      </td>
      <td class="number is-documents">{project.url && formatNumber(project.documents)}</td>
      <td class="number is-transmittals">{project.url && formatNumber(project.transmittals)}</td>
      <td class="is-latest">{project.latest}</td>
      <td class="is-hand-in">
        {first && (
          <a class="button" title={visible(first.name)} href={handInAddress(project)}>
            {project.incoming.length > 1 ? text.projects.handInCount(project.incoming.length) : text.projects.handIn}
          </a>
        )}
      </td>
      <td class="is-why">
        <IconButton icon={HELP} label={`${text.projects.why} ${name}`} title={text.projects.why} onClick={() => openAccess(project)} />
      </td>
    </tr>
  );
}

function openAccess(project: Project): void {
  openDialog(function AccessDialog() {
    const found = useSignal<Access | string>(text.access.loading);
    useEffect(() => {
      askAccess(`/${project.name}/`).then(
        (access) => (found.value = access),
        (fault: unknown) => (found.value = text.states.failed(reasonOf(fault))),
      );
    }, []);
    const access = found.value;
    const word = (value: boolean) => (value ? text.access.yes : text.access.no);
    return (
      <Modal title={text.projects.whyTitle(visible(project.title || project.name))}>
        {typeof access === "string" ? (
          <p class="notice" role="status">
            {visible(access)}
          </p>
        ) : (
          <dl class="facts">
            <dt>{text.access.path}</dt>
            <dd class="mono breaks">{visible(access.path)}</dd>
            <dt>{text.access.read}</dt>
            <dd>{word(access.read)}</dd>
            <dt>{text.access.handIn}</dt>
            <dd>{word(access.handIn)}</dd>
            {access.why && <dt>{text.access.why}</dt>}
            {access.why && <dd class="mono breaks">{visible(access.why)}</dd>}
          </dl>
        )}
      </Modal>
    );
  });
}

export function Recent(): JSX.Element {
  const found = latestOf(all.value, MOST_RECENT);
  return (
    <Section id="recent" title={text.recent.title}>
      {found.length === 0 ? (
        <p class="muted">{text.recent.none}</p>
      ) : (
        <ul class="card flush list recent">
          {found.map((one) => (
            <li key={one.url}>
              <time>{one.date}</time>
              <a href={one.url}>{visible(one.name.replace(/^\d{4}-\d{2}-\d{2}_/, ""))}</a>
              <span class="muted">{visible(one.project)}</span>
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}
