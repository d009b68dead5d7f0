import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DiskError, type FailureKind } from "../classifier/model/disk";
import { isFinished } from "../classifier/model/journal";
import { planLine } from "../classifier/model/plan";
import { type Source, applyPlan, findJournals, findUnfinished, resume } from "../classifier/model/run";
import { type Act, MemoryDisk } from "./classifierDisk";

const SOURCE: Source = { now: () => new Date("2026-01-02T03:04:05Z"), random: (digits) => "abcdef0123".slice(0, digits) };
const wanted = (pairs: Record<string, string>) =>
  Object.entries(pairs).map(([path, newName]) => ({ line: planLine(path, newName), modified: 1000 }));
const apply = (disk: MemoryDisk, pairs: Record<string, string>, progress = {}) => applyPlan(disk, wanted(pairs), progress, SOURCE);
const outcomes = (results: readonly { path: string; outcome: string }[]) =>
  Object.fromEntries(results.map((one) => [one.path, one.outcome]));

/** Renames that swap, chain, go straight and change letter case, in two folders. */
const FILES = { a: "1", b: "2", c: "3", d: "4", "f/x": "5", "f/y": "6" };
const PAIRS = { a: "b", b: "a", c: "new", d: "D", "f/x": "y", "f/y": "z" };
const AFTER = { b: "1", a: "2", new: "3", D: "4", "f/y": "5", "f/z": "6" };

test("renames are done, journal first, and undone to the same bytes", async () => {
  const disk = new MemoryDisk(FILES);
  const seen: number[] = [];
  const { results, journal, stopped } = await apply(disk, PAIRS, { onProgress: (done: number) => seen.push(done) });
  assert.deepEqual([disk.tree, stopped], [Object.fromEntries(Object.entries(AFTER).sort()), ""]);
  assert.ok(results.every((one) => one.outcome === "renamed") && results.length === 6);
  const changes = disk.acts.filter((act) => !/^(names|state)/.test(act));
  assert.equal(changes[0], `write ${journal!.name}`);
  assert.equal(journal!.name, ".zddc-rename-20260102T030405Z-abcd.jsonl");
  assert.equal(seen.at(-1), journal!.steps.length);
  assert.ok(isFinished((await findJournals(disk))[0]!));
  const back = await resume(disk, (await findJournals(disk))[0]!, "undo");
  assert.deepEqual(disk.tree, FILES);
  assert.deepEqual([back.renamed, back.moved.get("b"), back.moved.size], [6, "a", 6]);
  assert.deepEqual(await findUnfinished(disk), []);
});

test("reported: Rename pressed twice renames once (PowerToys 19883)", async () => {
  const disk = new MemoryDisk(FILES);
  await apply(disk, { a: "x", "f/x": "z" });
  const before = disk.tree;
  const again = await applyPlan(disk, wanted({ a: "x", "f/x": "z" }), {}, SOURCE2);
  assert.deepEqual([again.journal, outcomes(again.results)], [null, { a: "skipped", "f/x": "skipped" }]);
  assert.deepEqual(disk.tree, before);
});

test("a file that changed since the folder was read is skipped, with the reason; the others are renamed", async () => {
  const disk = new MemoryDisk({ a: "1", b: "2", c: "3" });
  disk.files.get("a")!.modified = 2000;
  const { results } = await applyPlan(
    disk,
    [...wanted({ a: "x", b: "y" }), { line: planLine("c", "z", 99), modified: null }],
    {},
    SOURCE,
  );
  assert.deepEqual(outcomes(results), { a: "skipped", b: "renamed", c: "skipped" });
  assert.match(results.find((one) => one.path === "a")!.reason, /changed since/);
  assert.deepEqual(disk.tree, { a: "1", c: "3", y: "2" });
});

test("a name that appeared since is not overwritten, and who needs it stays", async () => {
  const disk = new MemoryDisk({ a: "1", b: "2", z: "new here" });
  const { results } = await apply(disk, { a: "b", b: "Z" });
  assert.deepEqual(outcomes(results), { a: "skipped", b: "skipped" });
  assert.deepEqual(disk.tree, { a: "1", b: "2", z: "new here" });
});

test("a locked file stays with its reason, with all that need its name; the rest is renamed and can be undone", async () => {
  for (const locked of ["a", "c", "d", "f/x", "f/y"]) {
    const disk = new MemoryDisk(FILES);
    disk.fail = (act, path) => (act === "rename" && path === locked ? "locked" : null);
    const { results, journal, stopped } = await apply(disk, PAIRS);
    const result = outcomes(results);
    assert.equal(stopped, "", locked);
    assert.equal(result[locked], "failed");
    assert.equal(results.length, 6);
    const after: Record<string, string> = {};
    for (const [path, content] of Object.entries(FILES)) {
      const folder = path.startsWith("f/") ? "f/" : "";
      after[result[path] === "renamed" ? `${folder}${PAIRS[path as "a"]}` : path] = content;
    }
    assert.deepEqual(disk.tree, Object.fromEntries(Object.entries(after).sort()));
    assert.ok(isFinished(journal!));
    disk.fail = () => null;
    const again = await applyPlan(disk, wanted(PAIRS).filter(({ line }) => result[line.path] !== "renamed"), {}, SOURCE2);
    assert.deepEqual(disk.tree, Object.fromEntries(Object.entries(AFTER).sort()), locked);
    await resume(disk, again.journal!, "undo");
    await resume(disk, (await findJournals(disk)).find((one) => one.name === journal!.name)!, "undo");
    assert.deepEqual(disk.tree, FILES);
  }
});
const SOURCE2: Source = { now: () => new Date("2026-01-02T03:04:06Z"), random: (digits) => "9876543210".slice(0, digits) };

test("Stop stops after a file; the journal finishes or undoes it", async () => {
  for (const goal of ["complete", "undo"] as const) {
    const disk = new MemoryDisk(FILES);
    const stop = new AbortController();
    const { stopped, journal } = await apply(disk, PAIRS, {
      signal: stop.signal,
      onProgress: (done: number) => done === 4 && stop.abort(),
    });
    assert.equal(stopped, "stopped");
    assert.equal(journal!.position, 4);
    const [found] = await findUnfinished(disk);
    await resume(disk, found!, goal);
    assert.deepEqual(disk.tree, Object.fromEntries(Object.entries(goal === "undo" ? FILES : AFTER).sort()));
    assert.deepEqual(await findUnfinished(disk), []);
  }
});

test("nothing is renamed where no journal can be written: disk full, permission lost, swap file not closed", async () => {
  for (const kind of ["full", "permission", "other"] as const) {
    const disk = new MemoryDisk(FILES);
    disk.fail = (act) => (act === "write" ? kind : null);
    await assert.rejects(apply(disk, PAIRS), (error) => error instanceof DiskError && error.kind === kind);
    assert.deepEqual(disk.tree, FILES);
  }
});

test("killed or failing at any act, a run is undone and is completed, and nothing is lost", async () => {
  const acts: Act[] = ["rename", "write", "writeAt", "remove"];
  for (const goal of ["complete", "undo"] as const) {
    for (const isDone of [false, true]) {
      for (let end = 1; ; end += 1) {
        const disk = new MemoryDisk(FILES);
        const real = disk.rename.bind(disk);
        let left = end;
        let dead = false;
        disk.fail = (act) => {
          if (dead) return "permission";
          if (!acts.includes(act)) return null;
          left -= 1;
          if (left) return null;
          dead = true;
          return isDone && act === "rename" ? null : "permission";
        };
        // The last rename is done, and its maker dies before hearing of it.
        disk.rename = async (path, to) => {
          await real(path, to);
          if (dead) throw new DiskError("permission", "killed");
        };
        await apply(disk, PAIRS).catch(() => undefined);
        if (!dead) break;
        disk.fail = () => null;
        disk.rename = real;
        assert.deepEqual(Object.values(disk.tree).sort(), Object.values(FILES).sort());
        const [journal] = await findJournals(disk);
        if (journal) await resume(disk, journal, goal);
        const isAfter = journal && goal === "complete";
        assert.deepEqual(disk.tree, Object.fromEntries(Object.entries(isAfter ? AFTER : FILES).sort()), `${goal} ${end}`);
      }
    }
  }
});

/** Files of which two change names with each other, and the rest goes straight. */
const many = (count: number) => {
  const names = Array.from({ length: count }, (_, at) => `scan ${at}`);
  const pairs = Object.fromEntries(names.map((name, at) => [name, `plan ${at}`]));
  return { files: Object.fromEntries(names.map((name) => [name, name])), pairs: { ...pairs, "scan 0": "scan 1", "scan 1": "scan 0" } };
};

test("500 files are renamed and undone with a dozen lines in the journal, since a browser copies it for each", async () => {
  const { files, pairs } = many(500);
  const disk = new MemoryDisk(files);
  const { journal } = await apply(disk, pairs);
  const lines = () => disk.acts.filter((act) => act.startsWith("writeAt")).length;
  const done = lines();
  assert.ok(done <= 14, `${done}`);
  assert.equal(Object.keys(disk.tree).filter((name) => name.startsWith("plan")).length, 498);
  await resume(disk, journal!, "undo");
  assert.ok(lines() - done <= 14);
  assert.deepEqual(disk.tree, Object.fromEntries(Object.entries(files).sort()));
});

test("killed after any rename of a line's many, doing or undoing, the disk tells how far it came", async () => {
  const { files, pairs } = many(60);
  for (const goal of ["complete", "undo"] as const) {
    for (const isUndoing of [false, true]) {
      for (let renames = 0; renames < 62; renames += 1) {
        const disk = new MemoryDisk(files);
        const whole = isUndoing ? await apply(disk, pairs) : null;
        let left = renames;
        let isDead = false;
        disk.fail = (act) => {
          isDead ||= act === "rename" && left-- === 0;
          return isDead ? "permission" : null;
        };
        await (whole ? resume(disk, whole.journal!, "undo") : apply(disk, pairs));
        disk.fail = () => null;
        const [found] = await findUnfinished(disk);
        assert.ok(found!.openSteps.length > 1, `${renames}`);
        await resume(disk, found!, goal);
        const after = Object.entries(files).map(([path, text]) => [goal === "undo" ? path : pairs[path as "scan 0"], text] as const);
        assert.deepEqual(disk.tree, Object.fromEntries(after.sort()), `${goal} ${isUndoing} ${renames}`);
        assert.deepEqual(await findUnfinished(disk), []);
      }
    }
  }
});

test("a name that somebody changed among those of the last line stops before anything is renamed", async () => {
  const steps = '{"from":"a","to":"x"}\n{"from":"b","to":"y"}\n{"from":"c","to":"z"}\n';
  const text = `{"journal":"zddc rename","version":1,"steps":3}\n${steps}{"do":[0,2]}\n`;
  const cases: [string[], RegExp][] = [
    [["x", "c"], /'b' was being renamed to 'y', and none of them is there/],
    [["x", "b", "y", "c"], /'b' was being renamed to 'y', and both of them are there/],
    [["x", "b", "z"], /'b' was being renamed to 'y', and a later rename is made while this one is not/],
  ];
  for (const [names, said] of cases) {
    const disk = new MemoryDisk(Object.fromEntries(names.map((name) => [name, name])));
    const before = disk.tree;
    disk.put(".zddc-rename-20260101T000000Z-0000.jsonl", text);
    const [journal] = await findUnfinished(disk);
    for (const goal of ["complete", "undo"] as const) await assert.rejects(resume(disk, journal!, goal), said);
    assert.deepEqual(disk.tree, before);
  }
});

test("any failure of any act loses no file, overwrites none, and leaves nothing that cannot be undone", async () => {
  const kinds: FailureKind[] = ["locked", "full", "permission", "absent", "other"];
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.nat(40), fc.constantFrom(...kinds)), { maxLength: 4 }), async (failures) => {
      const disk = new MemoryDisk(FILES);
      let count = 0;
      disk.fail = (act) => {
        if (act === "names" || act === "state" || act === "read") return null;
        count += 1;
        return failures.find(([at]) => at === count)?.[1] ?? null;
      };
      await apply(disk, PAIRS).catch((error: unknown) => assert.ok(error instanceof DiskError));
      disk.fail = () => null;
      assert.deepEqual(Object.values(disk.tree).sort(), Object.values(FILES).sort());
      for (const journal of await findJournals(disk)) await resume(disk, journal, "undo");
      assert.deepEqual(disk.tree, FILES);
    }),
    { numRuns: 300 },
  );
});

test("undo stops at what somebody renamed meanwhile, before it renames anything", async () => {
  const disk = new MemoryDisk({ a: "1", b: "2" });
  const { journal } = await apply(disk, { a: "x", b: "y" });
  await disk.rename("x", "mine");
  await assert.rejects(resume(disk, journal!, "undo"), /not there any more; nothing was renamed now/);
  disk.put("x", "1");
  disk.put("a", "other");
  await assert.rejects(resume(disk, journal!, "undo"), /is taken; nothing was renamed now/);
  assert.deepEqual(disk.tree, { a: "other", mine: "1", x: "1", y: "2" });
});

test("a journal that renames folders is left to the command line", async () => {
  const disk = new MemoryDisk({ "old/a": "1" });
  disk.put(".zddc-rename-20260101T000000Z-0000.jsonl", '{"journal":"zddc rename","version":1,"steps":1}\n{"from":"old","to":"new"}\n{"do":0}\n');
  const [journal] = await findUnfinished(disk);
  await assert.rejects(resume(disk, journal!, "complete"), /'zddc rename' completes/);
});

test("a file that only looks like a journal is none, and is no harm", async () => {
  const disk = new MemoryDisk({ a: "1" });
  disk.put(".zddc-rename-x.jsonl", "hello\n");
  assert.deepEqual(await findJournals(disk), []);
  assert.equal((await apply(disk, { a: "b" })).results[0]!.outcome, "renamed");
});
