// The frame of the pages that work on a folder: which one, from where and as whom, and what stands beside the middle.
import { computed, signal, type ReadonlySignal, type Signal } from "@preact/signals";
import type { JSX } from "preact";
import { CLOSE, IconButton, LEFT } from "./icons.tsx";
import { start } from "./palette.tsx";
import { focusRegion } from "./regions.ts";
import { cameFromOurServer } from "./served.ts";
import { mountShell, withKeys, type Action, type Page } from "./shell.tsx";
import { text } from "./text/en.ts";
import { folderText } from "./text/folder.ts";
import { visible } from "./visible.ts";

/** What is shown of a place; see files.ts. */
export interface PlaceShown {
  readonly name: string;
  readonly kind: "local" | "server" | "index" | "zip" | "input";
  readonly canWrite: boolean;
}

export interface FolderPage extends Pick<Page, "id" | "title" | "search" | "left" | "middle" | "right" | "keys" | "tableKeys"> {
  /** All that a person can do on the page; a signal where that changes. */
  readonly actions: readonly Action[] | ReadonlySignal<readonly Action[]>;
  readonly place: Signal<PlaceShown | null>;
  /** The names of the regions, where better ones than the general are known. */
  readonly labels?: { readonly left?: string; readonly middle?: string; readonly right?: string };
}

/** Whether the region on the left is shown; narrow windows begin without it. */
export const leftOpen: Signal<boolean> = signal(true);
/** Whether the region on the right is shown. */
export const rightOpen: Signal<boolean> = signal(false);
/** The e-mail of who asks, where a server of ours said it; null is nobody known. */
export const person: Signal<string | null> = signal(null);
const isOurServer = signal(false);
const placeChanges = signal(0);

/** Makes the bar look again at a place whose name or rights changed. */
export function refreshPlace(): void {
  placeChanges.value += 1;
}

/** Builds a page. Called once, by its main.tsx. */
export function mountFolderShell(page: FolderPage): void {
  const { place, left: Left, right: Right, labels } = page;
  const own = computed(() => ("value" in page.actions ? page.actions.value : page.actions));
  const toggleLeft = { id: "left", label: folderText.toggleLeft, run: () => void (leftOpen.value = !leftOpen.value) };
  const narrow = matchMedia("(max-width: 800px)");
  leftOpen.value = !narrow.matches;
  narrow.addEventListener("change", () => (leftOpen.value = !narrow.matches));
  isOurServer.value = cameFromOurServer();
  mountShell({
    ...page,
    actions: Left ? computed(() => [...own.value, toggleLeft]) : own,
    opened: computed(() => place.value?.name),
    badge: () => (
      <>
        {Left && <IconButton icon={LEFT} label={toggleLeft.label} isOpen={leftOpen.value} onClick={toggleLeft.run} />}
        <PlaceBadge place={place} />
      </>
    ),
    buttons: () => <BarButtons actions={own.value} />,
    left: () =>
      Left && leftOpen.value ? (
        <nav class="region left" data-region="left" tabIndex={-1} aria-label={labels?.left ?? folderText.left}>
          <Left />
        </nav>
      ) : null,
    middleLabel: labels?.middle,
    right: () =>
      Right && rightOpen.value ? (
        <aside class="region right" data-region="right" tabIndex={-1} aria-label={labels?.right ?? folderText.right}>
          <IconButton icon={CLOSE} class="close" label={text.actions.close} title={`${text.actions.close} (Esc)`} onClick={closeRight} />
          <Right />
        </aside>
      ) : null,
    close: () => Right !== undefined && closeRight(),
  });
  if (isOurServer.value) void askWho();
}

function closeRight(): boolean {
  const wasOpen = rightOpen.value;
  rightOpen.value = false;
  const middle = document.querySelector<HTMLElement>('[data-region="middle"]');
  if (wasOpen && middle) focusRegion(middle);
  return wasOpen;
}

/** Asks a server of ours who is asking. Others are asked nothing: a page may come from any place that has files. */
async function askWho(): Promise<void> {
  const answer = await fetch("/.profile/", { headers: { accept: "application/json" } });
  const found: unknown = answer.ok ? await answer.json() : null;
  const email = found !== null && typeof found === "object" && "email" in found ? found.email : null;
  person.value = typeof email === "string" ? email : null;
}

function BarButtons({ actions }: { actions: readonly Action[] }): JSX.Element {
  return (
    <>
      {actions
        .filter((action) => action.inBar)
        .map((action) => (
          <button
            key={action.id}
            type="button"
            class={action.inBar === "primary" ? "primary" : ""}
            disabled={action.enabled?.value === false}
            title={withKeys(action)}
            onClick={() => start(action)}
          >
            {action.label}
          </button>
        ))}
    </>
  );
}

function PlaceBadge({ place: { value: place } }: { place: Signal<PlaceShown | null> }): JSX.Element {
  void placeChanges.value;
  const who = isOurServer.value ? (person.value ?? folderText.anonymous) : null;
  const parts = place
    ? [folderText[place.kind], place.kind === "server" ? who : place.canWrite ? folderText.canWrite : folderText.readOnly]
    : who
      ? [folderText.server, who]
      : [];
  const label = parts.filter((one) => one !== null).join(" · ");
  return (
    <div class="place">
      {place && (
        <span class="place-name" title={visible(place.name)}>
          {visible(place.name)}
        </span>
      )}
      {label && <span class={`badge ${place?.canWrite ? "warn" : ""}`}>{visible(label)}</span>}
    </div>
  );
}
