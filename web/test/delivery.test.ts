/** A folder that came, and what the pages say of it, without a browser. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fromInput } from "../shared/files/input";
import { PlaceError, type Place } from "../shared/files/place";
import { sha256OfBlob } from "../shared/hashing";
import { makeAcknowledgement, receivedOf } from "../shared/transmittal/acknowledgement";
import { acknowledgementsOf, checkDelivery, findDelivery, isAcknowledgement, mainPages, rowOf } from "../shared/transmittal/delivery";
import { prepare, publish } from "../shared/transmittal/publishing";
import { makePage } from "../shared/transmittal/page";

const VIEWER = '<!-- static --><!-- /static --><script id="transmittal-data" type="application/json">{}</script>';
const NAME = "ACME-CIV-DWG-0001_A (IFC) - Site.pdf";
const FIELDS = { type: "Transmittal", subject: "Package", date: "2025-10-31", trackingNumber: "ACME-TRN-0007", purpose: "IFC", from: "A", to: "B" };
const NOW = new Date("2025-10-31T14:30:00Z");

type Files = Record<string, string>;

async function send(files: Files, fields: Partial<typeof FIELDS> = {}) {
  const rows = await Promise.all(Object.entries(files).map(async ([path, text]) => rowOf(path, await sha256OfBlob(new Blob([text])), text.length)));
  const transmittal = await prepare({ ...FIELDS, ...fields }, rows, { draft: false, now: NOW });
  const { page, sums } = publish(transmittal, VIEWER);
  const made = await makeAcknowledgement(receivedOf(transmittal), rows, "", { receiver: "B", sender: "A" }, NOW, "2025-11-03");
  return { files, page, sums: sums!, acknowledgement: { name: made.name, html: makePage(made.transmittal, VIEWER) } };
}

function placeOf(files: Files): Place {
  return fromInput(
    Object.entries(files).map(([path, text]) => {
      const file = new File([text], path.split("/").at(-1)!);
      return Object.defineProperty(file, "webkitRelativePath", { value: `Dropped/${path}` });
    }),
  );
}

async function check(files: Files, name = "", place = placeOf(files)) {
  const found = await findDelivery(place, {}, (path, why) => assert.fail(`${path}: ${why}`));
  const page = found.pages.find((one) => one.name === name) ?? mainPages(found.pages)[0]!;
  const report = await checkDelivery(place, found, page, []);
  const kinds = Object.fromEntries(report.findings.map((one) => [one.path, one.kind]));
  return { page: page.name, kinds, listed: report.listed.map((one) => one.kind), confirmed: report.acknowledgements.map((one) => one.page.name), report };
}

test("what an acknowledgement confirms lies beside it, and is in no list", async () => {
  const { files, page, sums, acknowledgement } = await send({ [NAME]: "site" });
  const whole = { ...files, [page.name]: page.html, [acknowledgement.name]: acknowledgement.html, SHA256SUMS: sums };
  const said = await check(whole, acknowledgement.name);
  assert.deepEqual([said.page, said.kinds, said.listed, said.confirmed], [acknowledgement.name, { [NAME]: "verified" }, ["verified"], []]);
  // Of a transmittal it is what is confirmed, and one of another number is a file like any other.
  const other = await send({ [NAME]: "site" }, { trackingNumber: "ACME-TRN-0008" });
  const main = await check({ ...whole, [other.acknowledgement.name]: other.acknowledgement.html }, page.name);
  assert.deepEqual([main.kinds, main.confirmed], [{ [NAME]: "verified", [other.acknowledgement.name]: "extra" }, [acknowledgement.name]]);
});

test("an acknowledgement in the folder counts where the transmittal lies beside the folder", async () => {
  const { files, page, acknowledgement } = await send({ [NAME]: "site" });
  const inside = Object.fromEntries(Object.entries({ ...files, [acknowledgement.name]: acknowledgement.html }).map(([name, text]) => [`Package/${name}`, text]));
  const said = await check({ [page.name]: page.html, ...inside });
  assert.deepEqual([said.page, said.kinds, said.confirmed], [`../${page.name}`, { [NAME]: "verified" }, [acknowledgement.name]]);
});

test("what is read is what was told of", async () => {
  const { files, page } = await send({ [NAME]: "site" });
  const { report } = await check({ ...files, [page.name]: page.html });
  assert.equal(report.read.get(NAME)?.sha256, await sha256OfBlob(new Blob(["site"])));
  assert.ok(!isAcknowledgement(report.judged.page) && acknowledgementsOf(report.judged.page, []).length === 0);
});

test("a list of hashes that cannot be read does not count as one that agrees", async () => {
  const { files, page, sums } = await send({ [NAME]: "site" });
  const whole = { ...files, [page.name]: page.html, SHA256SUMS: sums };
  const place = placeOf(whole);
  const locked = Object.assign(Object.create(place) as Place, {
    open: (path: string) => (path === "SHA256SUMS" ? Promise.reject(new PlaceError("unreadable", "SHA256SUMS: locked")) : place.open(path)),
    batches: place.batches.bind(place),
  });
  await assert.rejects(check(whole, "", locked), /SHA256SUMS: locked/);
});

test("a journal of renames in the folder of a delivery is no file that was sent", async () => {
  const { files, page } = await send({ [NAME]: "site" });
  const journal = ".zddc-rename-20251031T143000Z-0a1b.jsonl";
  assert.deepEqual((await check({ [`Package/${NAME}`]: files[NAME]!, [`Package/${page.name}`]: page.html, [`Package/${journal}`]: "{}" })).kinds, { [NAME]: "verified" });
});
