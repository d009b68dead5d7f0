import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { fromInput } from "../shared/files/input";
import { compareBytes, formatSums, hashAll, sha256OfBlob } from "../shared/hashing";

test("both ways to hash agree with the system's, at the edges of a slice too", async () => {
  for (const size of [0, 1, 4 * 1024 * 1024 - 1, 4 * 1024 * 1024, 9 * 1024 * 1024 + 5]) {
    const bytes = new Uint8Array(size).map((_, at) => (at * 7) & 255);
    const expected = createHash("sha256").update(bytes).digest("hex");
    let counted = 0;
    assert.equal(await sha256OfBlob(new Blob([bytes])), expected);
    assert.equal(await sha256OfBlob(new Blob([bytes]), { largestAtOnce: -1, onBytes: (more) => (counted += more) }), expected);
    assert.equal(counted, size);
  }
});

test("hashing ends when it is told to", async () => {
  const controller = new AbortController();
  const blob = new Blob([new Uint8Array(12 * 1024 * 1024)]);
  const hashing = sha256OfBlob(blob, { largestAtOnce: 0, signal: controller.signal, onBytes: () => controller.abort(new Error("enough")) });
  await assert.rejects(hashing, /enough/);
});

test("a file that cannot be read is a problem, and the others are hashed", async () => {
  const place = fromInput([new File(["a"], "a"), new File(["b"], "b")], "P");
  const problems: string[] = [];
  const hashed = [];
  let last = { files: 0, bytes: 0 };
  for await (const one of hashAll(place, ["a", "none", "b"], { onProblem: (path) => problems.push(path), onProgress: (done) => (last = done) })) {
    hashed.push([one.path, one.sha256.slice(0, 8)]);
  }
  assert.deepEqual(hashed, [["a", "ca978112"], ["b", "3e23e816"]]);
  assert.deepEqual(problems, ["none"]);
  assert.deepEqual(last, { files: 3, bytes: 2 });
});

test("sha256sum reads a list of any names", () => {
  const folder = mkdtempSync(join(tmpdir(), "sums-"));
  try {
    const names = ["plain.txt", "line\nbreak", "back\\slash", "carriage\rreturn", "ä 電", " blank", "-rf", "*star"];
    const files = names.map((path) => {
      writeFileSync(join(folder, path), path);
      return { path, sha256: createHash("sha256").update(path).digest("hex") };
    });
    writeFileSync(join(folder, "SHA256SUMS"), formatSums(files));
    const checked = spawnSync("sha256sum", ["--check", "--strict", "SHA256SUMS"], { cwd: folder, encoding: "utf8" });
    assert.equal(checked.status, 0, checked.stderr);
    assert.equal(checked.stdout.split(": OK").length - 1, names.length);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("names are ordered as their bytes are", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }), (a, b) => {
      assert.equal(Math.sign(compareBytes(a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
});
