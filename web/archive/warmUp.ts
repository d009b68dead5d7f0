/** Makes ready what the first key in the filter box, or the first sort, would wait for, while the page has nothing to do. */
import { effect } from "@preact/signals";
import { prepareFoldedTexts } from "./model/build";
import type { Archive } from "./model/types";
import { archive } from "./state";

/** So many are made between two looks at the clock. */
const AT_ONCE = 500;
const ENOUGH_MS = 2;

effect(() => {
  const known = archive.value;
  if (known) continueWhenIdle(known, prepare(known));
});

/** Yields after each piece of work. */
function* prepare(known: Archive): Generator<void> {
  while (!prepareFoldedTexts(known, AT_ONCE)) yield;
  for (const [at, document] of known.documents.entries()) {
    void document.current;
    if (at % AT_ONCE === 0) yield;
  }
}

function continueWhenIdle(known: Archive, work: Generator<void>): void {
  const proceed = (timeLeft: () => number) => {
    if (archive.peek() !== known) return;
    do {
      if (work.next().done) return;
    } while (timeLeft() > ENOUGH_MS);
    continueWhenIdle(known, work);
  };
  if (typeof requestIdleCallback === "function") {
    requestIdleCallback((idle) => proceed(() => idle.timeRemaining()), { timeout: 1000 });
  } else {
    const until = performance.now() + 10;
    setTimeout(() => proceed(() => until - performance.now()), 20);
  }
}
