import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { batchesOf, runAll } from "../shared/files/batches";
import { formatIndex, fromIndex, formatTime, parseIndex, parseTime } from "../shared/files/indexFile";
import { fromDirectory } from "../shared/files/handles";
import { fromInput } from "../shared/files/input";
import { type Entry, type Place, PlaceError, isPlainName } from "../shared/files/place";
import { encodePath, parseLines } from "../shared/files/server";

async function listed(place: Place): Promise<{ entries: Entry[]; problems: [string, string][] }> {
  const problems: [string, string][] = [];
  const entries: Entry[] = [];
  for await (const entry of place.list({ onProblem: (path, reason) => problems.push([path, reason]) })) entries.push(entry);
  return { entries, problems };
}

const paths = (entries: readonly Entry[]) => entries.filter((entry) => !entry.isFolder).map((entry) => entry.path);

function picked(path: string, text = "x"): File {
  const file = new File([text], path.split("/").at(-1)!, { lastModified: 1_700_000_000_000 });
  Object.defineProperty(file, "webkitRelativePath", { value: path });
  return file;
}

test("files of a picked folder have paths below it, and the folders that they are in", async () => {
  const place = fromInput([picked("P/a.txt"), picked("P/in/b.txt"), picked("P/in/deeper/c.txt"), picked("P/.x/d"), picked("P/_e/f")]);
  assert.equal(place.name, "P");
  const { entries } = await listed(place);
  assert.deepEqual(entries.map((entry) => [entry.path, entry.isFolder]), [
    ["a.txt", false], ["in", true], ["in/b.txt", false], ["in/deeper", true], ["in/deeper/c.txt", false],
  ]);
  assert.equal(await (await place.open("in/b.txt")).text(), "x");
  await assert.rejects(place.open("in/none.txt"), (error) => error instanceof PlaceError && error.kind === "absent");
});

type Tree = { [name: string]: Tree | string | Error };

/** A handle of a folder as a browser gives it: a text is a file, an error is what listing the folder fails with. */
function handleOf(name: string, tree: Tree | Error): FileSystemDirectoryHandle {
  const handle = {
    kind: "directory",
    name,
    async *values() {
      await new Promise((resolve) => setImmediate(resolve)); // a disk takes its time
      if (tree instanceof Error) throw tree;
      for (const [one, below] of Object.entries(tree)) {
        yield typeof below === "string" ? { kind: "file", name: one } : handleOf(one, below);
      }
    },
  };
  return handle as unknown as FileSystemDirectoryHandle;
}

test("a folder on the disk is walked to its end, but for what is private or too deep, and what fails is told", async () => {
  let deep: Tree = { "too deep.txt": "" };
  for (let depth = 33; depth > 0; depth -= 1) deep = { [`${depth}`]: deep };
  const many = Object.fromEntries(Array.from({ length: 1201 }, (_, at) => [`${at}.txt`, ""]));
  const tree = { ".x": { "a.txt": "" }, _y: { "b.txt": "" }, many: { ...many, in: { "c.txt": "" } }, broken: new Error("the disk"), deep };
  const { entries, problems } = await listed(fromDirectory(handleOf("P", tree)));
  const found = new Set(paths(entries));
  assert.deepEqual(found, new Set([...Object.keys(many).map((name) => `many/${name}`), "many/in/c.txt"]));
  const folders = entries.filter((entry) => entry.isFolder).map((entry) => entry.path);
  assert.deepEqual(folders.filter((path) => !path.startsWith("deep/")).sort(), ["broken", "deep", "many", "many/in"]);
  assert.equal(folders.length, 4 + 32);
  const deepest = ["deep", ...Array.from({ length: 31 }, (_, at) => `${at + 1}`)].join("/");
  assert.deepEqual(new Map(problems), new Map([
    ["broken", "the folder cannot be listed: the disk"],
    [deepest, "more than 32 folders lie in each other; what is below was left out"],
  ]));
  const everything = fromDirectory(handleOf("P", tree)).list({ everything: true, onProblem: () => undefined });
  const all = new Set();
  for await (const { path } of everything) all.add(path);
  assert.ok(all.has(".x/a.txt") && all.has("_y/b.txt"));
});

test("a folder that cannot be listed is an error, and so is a walk that was stopped", async () => {
  await assert.rejects(listed(fromDirectory(handleOf("P", new Error("the disk")))), /the disk/);
  const controller = new AbortController();
  const found = fromDirectory(handleOf("P", { a: { "b.txt": "" } })).list({ signal: controller.signal, onProblem: () => undefined });
  await assert.rejects(async () => {
    for await (const _ of found) controller.abort();
  }, /aborted/);
});

test("a picked folder tells of its index", async () => {
  assert.equal(await fromInput([picked("P/.archive/index.json", "{}"), picked("P/a")]).readIndex!(), "{}");
  assert.equal(await fromInput([picked("P/a")]).readIndex!(), null);
});

test("an index is written as zddc writes it, and read again", () => {
  const name = fc.string({ minLength: 1, unit: "binary" }).filter((text) => isPlainName(text) && !/^[._]/.test(text));
  const file = fc.record({
    path: fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/")),
    size: fc.nat(),
    seconds: fc.integer({ min: 0, max: 4_000_000_000 }),
  });
  fc.assert(
    fc.property(fc.array(file), (files) => {
      const entries = files.map(({ path, size, seconds }) => ({
        path, size, modified: seconds * 1000, name: path.split("/").at(-1)!, folder: path.split("/").slice(0, -1).join("/"),
        isFolder: false,
      }));
      const refused: string[] = [];
      const read = parseIndex(formatIndex(entries), (path) => refused.push(path));
      const plain = read.map(({ path, size, modified, name, folder, isFolder }) => ({ path, size, modified, name, folder, isFolder }));
      assert.deepEqual(plain, entries);
      assert.deepEqual(refused, []);
    }),
  );
});

test("an index that leads out of its folder is refused, path by path", async () => {
  const evil = ["../x", "a/../../x", "/etc/x", "a//b", "", "a/./b", "a\0b"];
  const index = JSON.stringify({ version: 1, files: [...evil, "good/a.txt"].map((path) => ({ path, size: 1 })) });
  const { entries, problems } = await listed(fromIndex(index));
  assert.deepEqual(paths(entries), ["good/a.txt"]);
  assert.deepEqual(problems.map(([path]) => path), evil);
});

test("what is no index is said to be none", async () => {
  for (const text of ["", "[]", "null", "{", '{"version": 1}', '{"version": 2, "files": []}', '{"version": 1, "files": [null]}', '{"version":1,"files":[{"path":1}]}']) {
    await assert.rejects(listed(fromIndex(text)), (error) => error instanceof PlaceError && error.kind === "format", text);
  }
});

test("an index opens files of the folder that it is of", async () => {
  const base = fromInput([picked("P/a.txt", "hello")]);
  const index = '{"version": 1, "files": [{"path": "a.txt", "size": 5}]}';
  assert.equal(await (await fromIndex(index, base).open("a.txt")).text(), "hello");
  await assert.rejects(fromIndex(index).open("a.txt"), PlaceError);
});

test("a time in a listing is read to the second, in both ways", () => {
  fc.assert(
    fc.property(fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }), (seconds) => {
      assert.equal(parseTime(formatTime(seconds * 1000)), seconds * 1000);
    }),
  );
  assert.equal(parseTime("2025-03-01T12:00:00.123456789Z"), Date.parse("2025-03-01T12:00:00.123Z"));
  assert.equal(parseTime("Wed, 01 Jan 2025 00:00:00 GMT"), Date.UTC(2025, 0, 1));
  for (const none of ["", "soon", null, 5, undefined, "2025-xx-01T12:00:00Z"]) assert.equal(parseTime(none), undefined);
});

test("a server's lines become entries, and a name that leads elsewhere is a problem", () => {
  const problems: [string, string][] = [];
  const options = { onProblem: (path: string, reason: string) => void problems.push([path, reason]) };
  const lines = [
    { path: "P/a.txt", name: "a.txt", size: 3, mod_time: "2025-03-01T12:00:00Z" },
    { path: "../evil" }, { path: "P/../../evil" }, { path: "/etc/passwd" }, { path: "P//b" }, { path: "P/a\\b" }, { path: "P/\0" },
    { path: ".hidden/a" }, { path: "P/_b" }, { path: 5 }, { path: Array(40).fill("d").join("/") },
  ].map((line) => JSON.stringify(line));
  const entries = parseLines([...lines, "no json", ""].join("\n"), new Set(), { line: 0 }, options);
  assert.deepEqual(entries, [
    { path: "P", name: "P", folder: "", isFolder: true },
    { path: "P/a.txt", name: "a.txt", folder: "P", isFolder: false, size: 3, modified: Date.UTC(2025, 2, 1, 12) },
  ]);
  assert.equal(problems.length, 9);
});

test("no path of a listing leads out of the place's address", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }).filter((text) => !/[\ud800-\udfff]/.test(text)), (path) => {
      const entries = parseLines(JSON.stringify({ path }), new Set(), { line: 0 }, { onProblem: () => {} });
      for (const entry of entries) {
        const url = new URL(`./${encodePath(entry.path)}`, "http://example.org/archive/project/");
        assert.ok(url.href.startsWith("http://example.org/archive/project/") && url.search === "" && url.hash === "");
        assert.equal(decodeURIComponent(url.pathname).slice("/archive/project/".length), entry.path);
      }
    }),
  );
});

test("batches have all that was found, in order, and then what was thrown", async () => {
  const found: number[] = [];
  const failing = batchesOf<number>(async (add) => {
    add([1, 2]);
    await new Promise((resolve) => setTimeout(resolve, 1));
    add([3]);
    throw new Error("lost");
  });
  await assert.rejects(async () => {
    for await (const batch of failing) found.push(...batch);
  }, /lost/);
  assert.deepEqual(found, [1, 2, 3]);
});

test("a list that grows while it is worked on is worked off, never more at once than allowed", async () => {
  const tasks = [5];
  let running = 0;
  let most = 0;
  let done = 0;
  await runAll(tasks, 3, async (depth) => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setTimeout(resolve, 0));
    if (depth) tasks.push(depth - 1, depth - 1);
    running -= 1;
    done += 1;
  });
  assert.equal(done, 2 ** 6 - 1);
  assert.equal(most, 3);
});
