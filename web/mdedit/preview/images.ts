/** Images of the place as the preview shows them: read once, kept while the place is open. */
import { IMAGES, isTooLarge } from "../../shared/preview";
import { nameOf, place } from "../state";
import { text } from "../text";
import { absent } from "./fragment";

const TYPES = new Map([...IMAGES, ["svg", "image/svg+xml"]]);
const LARGEST = 50_000_000;

/** Returns the type of an image by its name, from a fixed list: nothing else is ever shown as one. */
export function imageType(path: string): string | undefined {
  return TYPES.get(/\.([^./]+)$/.exec(path)?.[1]?.toLowerCase() ?? "");
}

/** By path: the address of its blob, or null where it cannot be shown. */
let known = new Map<string, string | null>();
let knownPlace: unknown = null;

/** Returns what stands for an image; it comes into its place when it is read. */
export function showImage(path: string, alt: string, title: string): Node {
  if (knownPlace !== place.peek()) {
    forgetImages();
    knownPlace = place.peek();
  }
  const address = known.get(path);
  if (address) return imageOf(address, alt, title);
  if (address === null) return absent(alt, text.image.absent(nameOf(path)));
  const waiting = absent(alt, text.image.loading(nameOf(path)));
  void read(path).then((found) => waiting.replaceWith(found ? imageOf(found, alt, title) : absent(alt, text.image.absent(nameOf(path)))));
  return waiting;
}

function imageOf(address: string, alt: string, title: string): HTMLImageElement {
  const shown = document.createElement("img");
  shown.src = address;
  shown.alt = alt;
  if (title) shown.title = title;
  return shown;
}

async function read(path: string): Promise<string | null> {
  const from = place.peek();
  let address: string | null = null;
  const type = imageType(path);
  if (type) {
    try {
      const file = await from!.open(path);
      if (file.size <= LARGEST && !(await isTooLarge(file))) address = URL.createObjectURL(file.slice(0, file.size, type));
    } catch {
      // It is not there: the preview says so.
    }
  }
  if (place.peek() === from) known.set(path, address);
  return address;
}

/** Forgets what is not there, so that an image that came since is found. */
export function forgetAbsent(): void {
  for (const [path, address] of known) if (address === null) known.delete(path);
}

function forgetImages(): void {
  for (const address of known.values()) if (address) URL.revokeObjectURL(address);
  known = new Map();
}
