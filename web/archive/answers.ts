/** The days on which transmittals themselves ask to be answered: their pages say it in their data. */
import { effect, signal, type Signal } from "@preact/signals";
import { isCalendarDate } from "../shared/naming";
import { findBlock } from "../shared/transmittal/block";
import { canRead } from "./hashes";
import { documentOf } from "./model/transmittals";
import type { Transmittal } from "./model/types";
import { archive, place, screen } from "./state";

/** By the transmittal's folder; empty where it asks for no day. */
export const asked: Signal<ReadonlyMap<string, string>> = signal(new Map());

/** A transmittal of 200 files has half a megabyte; what is much larger is read by its own page only. */
const LARGEST = 8_000_000;
const MOST_READ = 2_000;

let reading: unknown = null;

effect(() => {
  const base = place.value;
  const known = archive.value;
  if (screen.value !== "due" || !base || !known || !canRead()) return;
  reading = known;
  const found = new Map<string, string>();
  void (async () => {
    for (const one of known.transmittals.filter(isAsking).slice(0, MOST_READ)) {
      const own = documentOf(one);
      if (!own) continue;
      try {
        const file = await base.open(own.path);
        if (reading !== known) return;
        if (file.size <= LARGEST) found.set(one.folder, readResponseDue(await file.text()));
      } catch {
        // Who cannot read the page counts the days that are usual.
      }
    }
    if (reading === known) asked.value = found;
  })();
});

function isAsking(one: Transmittal): boolean {
  return (one.kind === "received" || one.kind === "issued") && (one.status === "IFA" || one.status === "IFR");
}

/** Returns the day that a transmittal's page asks for; empty where it says none that can be read. */
export function readResponseDue(html: string): string {
  try {
    const data: unknown = JSON.parse(html.slice(...findBlock(html)));
    const payload = isObject(data) ? data["payload"] : null;
    const due = isObject(payload) && Object.hasOwn(payload, "responseDue") ? payload["responseDue"] : null;
    return typeof due === "string" && isCalendarDate(due) ? due : "";
  } catch {
    return "";
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
