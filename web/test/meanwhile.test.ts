// What is waited for may come when something else was begun meanwhile.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { settled } from "./browser";
import { fromInput } from "../shared/files/input";
import type { Place } from "../shared/files/place";
import { sha256OfBlob } from "../shared/hashing";
import { rowOf } from "../shared/transmittal/delivery";
import { prepare, publish } from "../shared/transmittal/publishing";

const landing = await import("../landing/server");
const archive = await import("../archive/loading");
const opening = await import("../archive/opening");
const archiveState = await import("../archive/state");
const { checkPlace, loose } = await import("../archive/checking");
const { hashes } = await import("../archive/hashes");
const classifier = await import("../classifier/loading");
const classifierState = await import("../classifier/state");
const { text: archiveText } = await import("../archive/text");
const { text: classifierText } = await import("../classifier/text");
const { screensText } = await import("../archive/textScreens");
const transmittal = await import("../transmittal/loading");
const transmittalState = await import("../transmittal/state");
const { text: transmittalText } = await import("../transmittal/text");
const { clearProblems, problems, toasts } = await import("../shared/messages");

function folder(name: string, ...paths: string[]): Place {
  return fromInput(paths.map((path) => {
    const file = new File(["x"], path, { lastModified: 1 });
    return Object.defineProperty(file, "webkitRelativePath", { value: `${name}/${path}` });
  }));
}

/** The timers that are set, and none of which runs by itself; returns what runs all that are set, and gives how many. */
function holdTimers(context: TestContext): () => Promise<number> {
  const waiting = new Map<number, () => void>();
  let last = 0;
  context.mock.method(globalThis, "setTimeout", (run: () => void) => {
    waiting.set((last += 1), run);
    return last;
  });
  context.mock.method(globalThis, "clearTimeout", (one: number) => waiting.delete(one));
  return async () => {
    const due = [...waiting.values()];
    waiting.clear();
    for (const run of due) run();
    await settled();
    return due.length;
  };
}

/** A server of ours; each question for projects waits for its answer in the list that is returned. */
function serve(context: TestContext): ((status: number) => Promise<void>)[] {
  const waiting: ((status: number) => Promise<void>)[] = [];
  const before = globalThis.location;
  globalThis.location = new URL("http://acme.example/") as unknown as Location;
  context.after(() => (globalThis.location = before));
  context.mock.method(performance, "getEntriesByType", () => [{ serverTiming: [{ name: "zddc" }] }]);
  context.mock.method(globalThis, "fetch", async (path: string) => {
    if (path === "/_tools/") return Response.json([]);
    if (path === "/.profile/") return Response.json({ email: "kim@acme.example" });
    return new Promise((done) => {
      waiting.push(async (status) => {
        done(Response.json([{ name: "P1", url: "/P1/" }], { status }));
        await settled();
      });
    });
  });
  return waiting;
}

test("the start page asks again while the archive is read, by one timer however often a person asks", async (context) => {
  const runTimers = holdTimers(context);
  const asked = serve(context);
  void landing.load();
  await settled();
  void landing.load();
  await settled();
  for (const answer of asked) await answer(503);
  assert.equal(landing.state.peek().kind, "reading");
  assert.deepEqual([await runTimers(), asked.length], [1, 3]);
  assert.equal(landing.state.peek().kind, "reading");
  await asked[2]!(503);
  // A timer waits, and a person does not.
  void landing.load();
  await settled();
  assert.deepEqual([await runTimers(), asked.length], [0, 4]);
  await asked[3]!(200);
  assert.equal(landing.state.peek().kind, "ready");
});

test("an answer that comes after a later one is not shown, and nothing is asked again for it", async (context) => {
  const runTimers = holdTimers(context);
  const asked = serve(context);
  void landing.load();
  await settled();
  void landing.load();
  await settled();
  await asked[1]!(200);
  await asked[0]!(503);
  assert.equal(landing.state.peek().kind, "ready");
  assert.equal(await runTimers(), 0);
});

test("a drop of which nothing can be read is told, though the event forgets what was dropped", async (context) => {
  const runTimers = holdTimers(context);
  const listen = context.mock.method(globalThis, "addEventListener", () => undefined);
  opening.followDrops();
  const [, drop] = listen.mock.calls[0]!.arguments as unknown as [string, (event: object) => void];
  for (const [types, said] of [[["Files"], [[archiveText.title, archiveText.errors.nothingDropped]]], [["text/plain"], []]] as const) {
    clearProblems();
    const dataTransfer: { types: readonly string[]; files: []; items: [] } = { types, files: [], items: [] };
    drop({ target: null, preventDefault: () => undefined, dataTransfer });
    dataTransfer.types = [];
    await settled();
    await runTimers();
    assert.deepEqual(problems.value.map(({ subject, reason }) => [subject, reason]), said);
  }
});

test("an index that is read late does not take the place of what was opened meanwhile", async () => {
  let read: (json: string) => void = () => undefined;
  const file = { name: "late.json", text: () => new Promise((done) => (read = done)) } as unknown as File;
  const json = '{"version": 1, "files": [{"path": "A-9_0 (IFC) - Late.pdf", "size": 1}]}';
  const shown = () => [archiveState.place.peek()?.name, archiveState.archive.peek()?.files.map((one) => one.path)];
  const late = archive.openIndexFile(file);
  await archive.openPlace(folder("P", "A-1_0 (IFC) - Plan.pdf"));
  archiveState.running.value = { label: "of what was opened meanwhile", stop: () => undefined };
  read(json);
  await late;
  assert.deepEqual(shown(), ["P", ["A-1_0 (IFC) - Plan.pdf"]]);
  assert.equal(archiveState.banner.peek(), null);
  assert.notEqual(archiveState.running.peek(), null);
  // In time, it is shown.
  const inTime = archive.openIndexFile(file);
  read(json);
  await inTime;
  assert.deepEqual(shown(), ["late.json", ["A-9_0 (IFC) - Late.pdf"]]);
  assert.equal(archiveState.banner.peek()?.message, archiveText.index.fromFile);
});

test("the first files that are read are shown while the others are not read yet", async () => {
  const all = folder("P", "A-1_0 (IFC) - Plan.pdf", "A-2_0 (IFC) - Plan.pdf");
  let goOn: () => void = () => undefined;
  const isStopped = new Promise<void>((done) => (goOn = done));
  const shown = () => archiveState.archive.peek()?.files.map((one) => one.path);
  const place = Object.assign(Object.create(all) as Place, {
    async *batches(options: Parameters<Place["batches"]>[0]) {
      for await (const batch of all.batches(options)) {
        for (const entry of batch) {
          yield [entry];
          if (!entry.isFolder) await isStopped;
        }
      }
    },
    readIndex: async () => null,
  });
  const opened = archive.openPlace(place);
  assert.equal(archiveState.archive.peek(), null);
  const first = await new Promise((done) => archiveState.archive.subscribe((now) => now && done(shown())));
  assert.deepEqual(first, ["A-1_0 (IFC) - Plan.pdf"]);
  goOn();
  await opened;
  assert.equal(shown()?.length, 2);
});

test("renames that are begun while another folder is read keep the folder that they are in", async () => {
  const [first, second] = [folder("First", "one.pdf"), folder("Second", "two.pdf")];
  await classifier.openPlace(first);
  const shown = classifierState.model.peek();
  assert.deepEqual(shown?.sheet.rows.map((row) => row.path), ["one.pdf"]);
  const opened = classifier.openPlace(second);
  classifierState.work.value = { label: "", done: 0, all: 1, note: "", stop: new AbortController() };
  await opened;
  assert.equal(classifierState.place.peek(), first);
  assert.equal(classifierState.model.peek(), shown);
  assert.equal(classifierState.reading.peek(), null);
  assert.equal(toasts.peek().at(-1)?.text, classifierText.busy);
  // Once they are done, it can be opened.
  classifierState.work.value = null;
  await classifier.openPlace(second);
  assert.deepEqual(classifierState.model.peek()?.sheet.rows.map((row) => row.path), ["two.pdf"]);
});

test("files whose check was stopped have no verdict, and it is told; none of them is called unreadable", async (context) => {
  const { running } = archiveState;
  await archive.openPlace(folder("P", "A-1_0 (IFC) - Plan.pdf"));
  const runTimers = holdTimers(context);
  clearProblems();
  const some = () => folder("Loose", "other name.pdf", "another.pdf");
  // While the loose files are read, while those of the archive are, and not at all.
  for (const label of [screensText.check.reading("1", "2"), screensText.check.hashing("0", "1"), ""]) {
    toasts.value = [];
    const end = running.subscribe((now) => now?.label === label && now.stop());
    await checkPlace(some(), 2);
    end();
    assert.equal(running.peek(), null);
    assert.deepEqual([label, loose.peek().length, toasts.peek().map((one) => one.text)], label ? [label, 0, [screensText.check.stopped]] : ["", 2, []]);
  }
  assert.equal(hashes.peek().size, 1);
  await runTimers();
  assert.deepEqual(problems.peek(), []);
});

test("a transmittal whose check was stopped has no verdict, and it is told", async (context) => {
  holdTimers(context);
  const [name, text] = ["A-1_A (IFC) - Plan.pdf", "plan"];
  const row = rowOf(name, await sha256OfBlob(new Blob([text])), text.length);
  const fields = { type: "Transmittal", subject: "Package", date: "2025-10-31", trackingNumber: "A-TRN-1", purpose: "IFC", from: "A", to: "B" };
  const viewer = '<!-- static --><!-- /static --><script id="transmittal-data" type="application/json">{}</script>';
  const { page } = publish(await prepare(fields, [row], { draft: false, now: new Date("2025-10-31T14:30:00Z") }), viewer);
  const place = fromInput([new File([text], name), new File([page.html], page.name)]);
  transmittalState.goTo("check");
  for (const isStopped of [true, false]) {
    toasts.value = [];
    // At the very end: all is listed, and the one file is read.
    const end = transmittalState.work.subscribe((now) => isStopped && now?.done === 1 && now.all === 1 && now.stop());
    await transmittal.openPlace(place);
    end();
    assert.equal(transmittalState.work.peek(), null);
    assert.deepEqual(toasts.peek().map((one) => one.text), isStopped ? [transmittalText.stopped] : []);
    assert.deepEqual(transmittalState.loaded.peek()?.report?.findings.map((one) => one.kind), isStopped ? undefined : ["verified"]);
  }
});
