/** The page of a published transmittal: shows it by its data, and compares a folder with it. It vouches for nothing. */
import { reasonOf as placeReasonOf, type Place } from "../shared/files/place";
import { BLOCK_ID, BlockError } from "../shared/transmittal/block";
import { parseTransmittal, reasonOf, stateOf, textOf, type Transmittal } from "../shared/transmittal/data";
import { formatJson } from "../shared/canonical";
import { checkDelivery, findDelivery, type Finding } from "../shared/transmittal/delivery";
import { canCheck, checkSignatures, fingerprintOf } from "../shared/transmittal/signatures";
import { visible } from "../shared/visible";
import { canPick, fromDrop, fromFiles, fromPicker } from "./folder";
import { element, renderForm } from "./form";
import "./style.css";
import { text } from "./text";

function readOwn(): Transmittal {
  const blocks = document.querySelectorAll(`script[id="${BLOCK_ID}"]`);
  if (blocks.length !== 1) throw new BlockError(blocks.length ? text.severalBlocks : "no data block");
  return parseTransmittal(blocks[0]!.textContent ?? "");
}

async function show(): Promise<void> {
  const place = document.getElementById("document")!;
  let own: Transmittal;
  try {
    own = readOwn();
  } catch (error) {
    place.prepend(element("p", { class: "bad", role: "alert" }, text.broken(reasonOf(error))));
    return;
  }
  // What stands in the page may say something else than its data; only the latter can be checked.
  const says = element("div", { class: "says", role: "status" });
  place.replaceChildren(renderForm(own, says));
  const title = [textOf(own.payload, "trackingNumber"), textOf(own.payload, "subject") || textOf(own.payload, "title")];
  document.title = visible(title.filter(Boolean).join(" "));
  await sayWhatItIs(own, says);
  offerCheck(own);
}

async function sayWhatItIs(own: Transmittal, says: HTMLElement): Promise<void> {
  if (stateOf(own) === "draft") {
    says.append(element("p", {}, text.draft));
    return;
  }
  if (!canCheck()) {
    says.append(element("p", {}, text.cannotCheck));
    return;
  }
  const { intact, signatures } = await checkSignatures(own);
  says.append(element("p", { class: intact ? "" : "bad" }, intact ? text.intact : text.changed));
  if (!signatures.length) return;
  const lines = signatures.map((one) => {
    const who = text.signature(visible(one.label || text.unnamed), visible(one.signedAt), fingerprintOf(one.thumbprint));
    const verdict = one.valid ? text.valid : text.invalid(one.reason);
    const note = one.valid && !one.attested ? ` (${text.onlyAttested})` : "";
    return element("li", { class: one.valid ? "" : "bad" }, `${who}: ${verdict}${note}`);
  });
  says.append(element("ul", {}, ...lines));
}

function offerCheck(own: Transmittal): void {
  const section = document.getElementById("check")!;
  const button = element("button", { type: "button" }, text.choose) as HTMLButtonElement;
  const zone = element("div", { class: "zone" }, element("p", {}, text.checkHint), button);
  const result = element("div", { role: "status" });
  section.replaceChildren(element("h2", { id: "check-head" }, text.checkTitle), zone, result);
  section.hidden = false;
  let running: AbortController | null = null;
  const compare = async (from: Place | null) => {
    if (!from) {
      result.replaceChildren(element("p", { class: "bad" }, text.nothing));
      return;
    }
    running?.abort();
    const mine = new AbortController();
    running = mine;
    const stop = element("button", { type: "button" }, text.stop);
    stop.addEventListener("click", () => mine.abort());
    const progress = element("span", {});
    result.replaceChildren(element("p", {}, progress, " ", stop));
    try {
      const findings = await compareWith(own, from, mine.signal, (done, all) => (progress.textContent = text.reading(done, all)));
      if (running === mine) result.replaceChildren(...renderFindings(findings));
    } catch (error) {
      const why = mine.signal.aborted ? [] : [element("p", { class: "bad" }, text.cannotRead(placeReasonOf(error)))];
      if (running === mine) result.replaceChildren(...why);
    }
  };
  button.addEventListener("click", () => void choose(compare));
  addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
  addEventListener("dragleave", () => zone.classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    void fromDrop(event).then(compare);
  });
}

async function choose(then: (place: Place) => Promise<void>): Promise<void> {
  if (canPick()) {
    const picked = await fromPicker().catch(() => null);
    if (picked) await then(picked);
    return;
  }
  const input = element("input", { type: "file" }) as HTMLInputElement;
  input.webkitdirectory = true;
  input.addEventListener("change", () => {
    if (input.files?.length) void then(fromFiles(input.files));
  });
  input.click();
}

async function compareWith(
  own: Transmittal,
  place: Place,
  signal: AbortSignal,
  onProgress: (done: number, all: number) => void,
): Promise<readonly Finding[]> {
  const options = { signal, onProgress };
  const found = await findDelivery(place, options, () => undefined);
  // The copy in the folder may have more signatures, and says the same; another page is a file like any other.
  const says = formatJson(own.payload);
  const copy = found.pages.find((one) => formatJson(one.transmittal.payload) === says);
  const page = { name: copy?.name ?? "", transmittal: own };
  const others = found.pages.filter((one) => one !== copy);
  return (await checkDelivery(place, { ...found, pages: others }, page, [], options)).findings;
}

function renderFindings(findings: readonly Finding[]): HTMLElement[] {
  const wrong = findings.filter((one) => one.kind !== "verified");
  const said = wrong.length ? text.notAsListed(wrong.length, findings.length) : text.asListed(findings.length);
  const line = element("p", { class: wrong.length ? "bad" : "says" }, said);
  if (!wrong.length) return [line];
  const rows = wrong.map((one) =>
    element("tr", {}, ...[text.kinds[one.kind], visible(one.path), detailOf(one)].map((cell) => element("td", {}, cell))),
  );
  const heads = element("thead", {}, element("tr", {}, ...text.findingHeads.map((head) => element("th", { scope: "col" }, head))));
  return [line, element("div", { class: "scroll" }, element("table", {}, heads, element("tbody", {}, ...rows)))];
}

function detailOf({ detail, wanted, found }: Finding): string {
  if (!wanted || !found) return visible(detail);
  return wanted.size === found.size ? text.sameSize : text.sizes(wanted.size, found.size);
}

void show();
