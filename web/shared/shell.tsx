// The frame that all pages share: the bar, the regions, keys, messages, the theme and the address.
import { computed, effect, signal, type ReadonlySignal } from "@preact/signals";
import { render, type ComponentType, type JSX } from "preact";
import { openAbout, readablePath } from "./about.tsx";
import { Dialogs, isDialogOpen } from "./dialogs.tsx";
import { formatNumber, formatTime } from "./format.ts";
import { followAddress, linkToView } from "./fragment.ts";
import { ACTIONS, HELP, Icon, IconButton, MENU, OF_THEME, PROBLEM } from "./icons.tsx";
import { catchFaults, copyText, problems, problemsShown, status } from "./messages.ts";
import { ProblemList, Toasts } from "./messageViews.tsx";
import { openKeySheet, openPalette, start, type KeyNote } from "./palette.tsx";
import { afterDrawing, followFocus, goToRegion } from "./regions.ts";
import { actionOf, type Action } from "./shortcuts.ts";
import { text } from "./text/en.ts";
import { changeTheme, followTheme, theme } from "./theme.ts";
import { visible } from "./visible.ts";

export { askConfirm, closeDialog, isDialogOpen, Modal, openDialog } from "./dialogs.tsx";
export { formatDate, formatNumber, formatSize, formatTime } from "./format.ts";
export { fragment, linkToView, pushFragment, setFragment } from "./fragment.ts";
export { addProblem, clearProblems, copyText, problems, showToast, status } from "./messages.ts";
export { Keys, type KeyNote } from "./palette.tsx";
export { recall, remember } from "./remembered.ts";
export type { Action } from "./shortcuts.ts";

/** The pages in the order of Alt 1 to Alt 5. */
export const PAGES = ["archive", "landing", "classifier", "transmittal", "mdedit"] as const;
export type PageId = (typeof PAGES)[number];

/** What a page has; what only those have that work on a folder comes from folderShell.tsx. */
export interface Page {
  readonly id: PageId;
  readonly title: string;
  /** All that a person can do on the page. */
  readonly actions: ReadonlySignal<readonly Action[]>;
  /** What the page has open, for its title and on paper. */
  readonly opened?: ReadonlySignal<string | undefined>;
  /** Stands in the bar, after the name of the page. */
  readonly badge?: ComponentType;
  /** Stands in the middle of the bar. An input in it with `data-search` gets the focus by "/". */
  readonly search?: ComponentType;
  /** Stands in the bar before the buttons that all pages have. */
  readonly buttons?: ComponentType;
  /** The regions beside the middle. */
  readonly left?: ComponentType;
  readonly middle: ComponentType;
  readonly right?: ComponentType;
  /** The name of the middle, where a better one than the general is known. */
  readonly middleLabel?: string | undefined;
  /** Keys of the page that are no action's, for the key sheet. */
  readonly keys?: readonly KeyNote[];
  /** Keys of the list that a page has. */
  readonly tableKeys?: readonly KeyNote[];
  /** Called for Esc when no dialog is open; false where it found nothing to close. */
  close?(): boolean;
}

/** Builds a page. Called once, by its main.tsx. */
export function mountShell(page: Page): void {
  const shared = sharedActions(page);
  catchFaults();
  followTheme();
  followAddress();
  followFocus();
  effect(() => {
    const where = page.opened?.value;
    document.title = where ? `${visible(where)} - ${page.title}` : page.title;
  });
  addEventListener("keydown", (event) => onKeyDown(event, page, [...page.actions.peek(), ...shared]));
  addEventListener("beforeprint", () => (printedAt.value = formatTime(Date.now())));
  // A file that misses its target must not take the page's place.
  for (const kind of ["dragover", "drop"] as const) addEventListener(kind, (event) => event.preventDefault());
  render(<Shell page={page} shared={shared} />, document.getElementById("app")!);
}

function sharedActions(page: Page): Action[] {
  const actions: Action[] = [
    { id: "palette", label: text.actions.palette, keys: "Ctrl K", icon: ACTIONS, run: () => openPalette([...page.actions.peek(), ...actions]) },
    { id: "search", label: text.actions.search, keys: "/", run: focusSearch },
    { id: "keys", label: text.actions.keySheet, keys: "?", icon: HELP, run: () => openKeySheet(page, actions) },
    { id: "region", label: text.actions.nextRegion, keys: "F6", run: () => goToRegion(1) },
    { id: "region-back", label: text.actions.previousRegion, keys: "Shift F6", run: () => goToRegion(-1) },
    { id: "copy-link", label: text.actions.copyLink, run: () => copyText(linkToView(), text.toasts.linkCopied) },
    { id: "problems", label: text.actions.problems, run: showProblems, enabled: computed(() => problems.value.length > 0) },
    { id: "theme", label: text.actions.theme, run: changeTheme },
    { id: "print", label: text.actions.print, run: () => print() },
    { id: "about", label: text.actions.about, run: openAbout },
  ];
  if (!page.search) actions.splice(1, 1);
  PAGES.forEach((id, n) => {
    if (id !== page.id) {
      actions.push({ id: `go-${id}`, label: text.actions.goTo(text.pages[id]), keys: `Alt ${n + 1}`, run: () => location.assign(`./${id}.html`) });
    }
  });
  return actions;
}

function focusSearch(): void {
  const field = document.querySelector<HTMLInputElement>("[data-search]");
  field?.focus();
  field?.select();
}

function showProblems(): void {
  problemsShown.value = true;
  afterDrawing(() => document.getElementById("problems")?.focus());
}

function onKeyDown(event: KeyboardEvent, page: Page, actions: readonly Action[]): void {
  // While a text is being composed, its keys are no commands.
  if (event.defaultPrevented || event.isComposing || isDialogOpen()) return;
  if (event.key === "Escape" && !event.ctrlKey && !event.altKey) {
    if (!page.close?.()) problemsShown.value = false;
    return;
  }
  const action = actionOf(actions, event);
  if (!action) return;
  event.preventDefault();
  start(action);
}

interface ShellProps {
  readonly page: Page;
  readonly shared: readonly Action[];
}

function Shell({ page, shared }: ShellProps): JSX.Element {
  const { left: Left, middle: Middle, right: Right } = page;
  return (
    <>
      <a class="skip" href="#middle" onClick={(event) => (event.preventDefault(), document.getElementById("middle")?.focus())}>
        {text.skip}
      </a>
      <Bar page={page} shared={shared} />
      <PrintHead page={page} />
      <div class="regions">
        {Left && <Left />}
        <main class="region middle" data-region="middle" id="middle" tabIndex={-1} aria-label={page.middleLabel ?? text.regions.middle}>
          <Middle />
        </main>
        {Right && <Right />}
      </div>
      <footer class="foot" data-region="footer" tabIndex={-1} aria-label={text.regions.footer}>
        <ProblemList />
        <div class="status-line">
          <span role="status">{status.value}</span>
          <ProblemCount />
        </div>
      </footer>
      <Toasts />
      <Dialogs />
    </>
  );
}

function Bar({ page, shared }: ShellProps): JSX.Element {
  const { badge: Badge, search: Search, buttons: Buttons } = page;
  return (
    <header class="bar" data-region="bar" aria-label={text.regions.bar} tabIndex={-1}>
      <button type="button" class="page-name quiet" popovertarget="pages" title={text.otherPages}>
        <b>{page.title}</b>
        <Icon shape={MENU} />
      </button>
      <nav id="pages" popover="auto" aria-label={text.otherPages} onClick={(event) => event.currentTarget.hidePopover()}>
        {PAGES.map((id, n) => (
          <a key={id} {...(id === page.id ? { "aria-current": "page" } : { href: `./${id}.html` })}>
            <span>
              <b>{text.pages[id]}</b>
              <span class="muted">{text.pageJobs[id]}</span>
            </span>
            <kbd>{`Alt ${n + 1}`}</kbd>
          </a>
        ))}
      </nav>
      {Badge && <Badge />}
      <div class="search">{Search && <Search />}</div>
      <div class="bar-buttons">
        {Buttons && <Buttons />}
        {shared.map(
          (one) => one.icon && <IconButton key={one.id} icon={one.icon} label={one.label} title={withKeys(one)} onClick={() => start(one)} />,
        )}
        <IconButton icon={OF_THEME[theme.value]} label={text.actions.themeNow[theme.value]} onClick={changeTheme} />
      </div>
    </header>
  );
}

/** What the mouse shows of an action. */
export function withKeys({ label, keys }: Action): string {
  return keys ? `${label} (${keys})` : label;
}

function ProblemCount(): JSX.Element {
  const count = problems.value.length;
  return (
    <button
      type="button"
      class={`quiet problem-count ${count ? "has-some" : ""}`}
      disabled={count === 0}
      aria-expanded={problemsShown.value && count > 0}
      onClick={() => (problemsShown.value ? (problemsShown.value = false) : showProblems())}
    >
      {count > 0 && <Icon shape={PROBLEM} />}
      {count ? text.problems.count(count, formatNumber(count)) : text.problems.none}
    </button>
  );
}

const printedAt = signal("");

/** On paper: what it is, from where, and when. */
function PrintHead({ page }: { page: Page }): JSX.Element {
  const where = page.opened?.value;
  return (
    <div class="print-head">
      <b>{where ? `${page.title}: ${visible(where)}` : page.title}</b>
      <span>{visible(readablePath())}</span>
      <span>{text.printed(printedAt.value)}</span>
    </div>
  );
}
