// Where the keyboard is: the parts of a page that F6 goes through, and what is drawn anew.

const FOCUSABLE = 'a[href], :is(button, input, select, textarea):enabled, [tabindex]:not([tabindex="-1"])';

/** Does something once what has just changed is drawn, yet before the next key: who types on at once types where the focus is to be. */
export function afterDrawing(act: () => void): void {
  queueMicrotask(act);
}

const lastIn = new WeakMap<Element, HTMLElement>();

/** Remembers where the focus was in each region; called once by the shell. */
export function followFocus(): void {
  addEventListener("focusin", (event) => {
    const target = event.target;
    if (!(target instanceof HTMLElement)) return;
    const region = target.closest("[data-region]");
    if (region && target !== region) lastIn.set(region, target);
  });
}

/** Takes the focus to the region after the one that has it, or before it with -1; to where it was there the last time. */
export function goToRegion(step: 1 | -1): void {
  const regions = [...document.querySelectorAll<HTMLElement>("[data-region]")].filter((one) => one.offsetParent !== null);
  if (regions.length === 0) return;
  const at = regions.findIndex((one) => one.contains(document.activeElement));
  const from = at < 0 && step < 0 ? 0 : at;
  const next = regions[(from + step + regions.length) % regions.length];
  if (next) focusRegion(next);
}

export function focusRegion(region: HTMLElement): void {
  const before = lastIn.get(region);
  const target = before?.isConnected && before.offsetParent !== null ? before : region.querySelector<HTMLElement>(FOCUSABLE);
  (target ?? region).focus();
}
