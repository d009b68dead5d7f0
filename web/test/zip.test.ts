import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { crc32 } from "../shared/files/crc32";
import { fromInput } from "../shared/files/input";
import { type Place, PlaceError } from "../shared/files/place";
import { fromZip } from "../shared/files/zip";
import { namesInZip, zipOf } from "../shared/zip";

/** Make a zip by Python, which can write what a good program does not. */
function zipByPython(script: string): File {
  const folder = mkdtempSync(join(tmpdir(), "zip-"));
  try {
    const path = join(folder, "made.zip");
    const run = spawnSync("python3", ["-W", "ignore", "-c", `import sys, zipfile, stat\nfile = sys.argv[1]\n${script}`, path], { encoding: "utf8" });
    assert.equal(run.status, 0, run.stderr);
    return new File([readFileSync(path)], "made.zip");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function listed(place: Place): Promise<{ files: string[]; problems: string[] }> {
  const files: string[] = [];
  const problems: string[] = [];
  for await (const entry of place.list({ onProblem: (path, reason) => problems.push(`${path}: ${reason}`) })) {
    if (!entry.isFolder) files.push(entry.path);
  }
  return { files, problems };
}

test("a zip is listed and its files are read, packed or not, with names of any script", async () => {
  const place = await fromZip(
    zipByPython(`
with zipfile.ZipFile(file, "w") as z:
    z.writestr(zipfile.ZipInfo("a/stored.txt", (2025, 3, 1, 12, 0, 4)), "stored")
    z.writestr("a/b/packed ä電.txt", "packed " * 1000, zipfile.ZIP_DEFLATED)
    z.writestr("empty.txt", "")
    z.mkdir("folder")
    z.writestr(".hidden/x", "x")
    z.writestr("_own/x", "x")
`),
  );
  assert.deepEqual((await listed(place)).files, ["a/stored.txt", "a/b/packed ä電.txt", "empty.txt"]);
  const stored = await place.open("a/stored.txt");
  assert.equal(await stored.text(), "stored");
  assert.equal(stored.lastModified, Date.UTC(2025, 2, 1, 12, 0, 4));
  assert.equal(await (await place.open("a/b/packed ä電.txt")).text(), "packed ".repeat(1000));
  assert.equal((await place.open("empty.txt")).size, 0);
  await assert.rejects(place.open("none"), PlaceError);
});

test("members that no folder should be given are left out, each with its reason", async () => {
  const place = await fromZip(
    zipByPython(String.raw`
with zipfile.ZipFile(file, "w") as z:
    for name in ("../up", "a/../../up", "/top", "C:/drive", "a//b", "./dot", "control\x01"):
        z.writestr(name, "x")
    back = zipfile.ZipInfo("back"); back.filename = back.orig_filename = "back\\slash"; z.writestr(back, "x")
    link = zipfile.ZipInfo("link"); link.external_attr = (stat.S_IFLNK | 0o777) << 16; z.writestr(link, "/etc/passwd")
    z.writestr("twice", "1"); z.writestr("twice", "2")
    z.writestr("bzip2", "x" * 99, zipfile.ZIP_BZIP2)
    z.writestr("good", "x")
`),
  );
  const { files, problems } = await listed(place);
  assert.deepEqual(files, ["twice", "good"]);
  assert.equal(problems.length, 11);
  assert.equal(await (await place.open("twice")).text(), "1");
});

test("a member that unpacks to far more than itself is left out", async () => {
  const bomb = zipByPython(`
with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as z:
    z.writestr("bomb", b"\\0" * 101_000_000)
`);
  assert.deepEqual((await listed(await fromZip(bomb))).files, []);
});

test("a member that lies about its size is not unpacked beyond it", async () => {
  const zip = zipByPython(`
with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as z:
    z.writestr("liar", b"\\0" * 1_000_000)
data = bytearray(open(file, "rb").read())
at = data.find(b"PK\\1\\2")
data[at + 24:at + 28] = (10).to_bytes(4, "little")
open(file, "wb").write(data)
`);
  await assert.rejects((await fromZip(zip)).open("liar"), /liar/);
});

test("no damage of a zip gives other bytes than were put in", async () => {
  const content = "some text that is packed, some text that is packed";
  const whole = new Uint8Array(
    await zipByPython(`
with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as z:
    z.writestr("a", "${content}"); z.writestr("b", "${content}", zipfile.ZIP_STORED)
`).arrayBuffer(),
  );
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), async (at, change, isCut) => {
      const damaged = isCut ? whole.slice(0, at) : whole.map((byte, place) => (place === at ? byte ^ change : byte));
      try {
        const place = await fromZip(new File([damaged], "x.zip"));
        for (const name of (await listed(place)).files) assert.equal(await (await place.open(name)).text(), content);
      } catch (error) {
        assert.ok(error instanceof PlaceError, String(error));
      }
    }),
    { numRuns: process.env["WEAKSPOT_SOAK"] ? 5000 : 150 },
  );
});

test("a zip that is written has every file, and unzip finds it sound", async () => {
  const folder = mkdtempSync(join(tmpdir(), "zip-"));
  try {
    const texts = new Map([["P/a/x.txt", "x".repeat(100_000)], ["P/a/ä 電.txt", "y"], ["P/b/empty", ""]]);
    const files = [...texts].map(([path, text]) => {
      const file = new File([text], path.split("/").at(-1)!, { lastModified: Date.UTC(2025, 2, 1, 12) });
      Object.defineProperty(file, "webkitRelativePath", { value: `root/${path}` });
      return file;
    });
    const place = fromInput(files);
    const zip = await new Response(zipOf(place, namesInZip([...texts.keys()])) as ReadableStream<Uint8Array<ArrayBuffer>>).blob();
    writeFileSync(join(folder, "made.zip"), new Uint8Array(await zip.arrayBuffer()));
    const tested = spawnSync("unzip", ["-t", join(folder, "made.zip")], { encoding: "utf8" });
    assert.equal(tested.status, 0, tested.stdout);
    const again = await fromZip(new File([zip], "made.zip"));
    const { files: names } = await listed(again);
    assert.deepEqual(names, ["a/x.txt", "a/ä 電.txt", "b/empty"]);
    for (const name of names) assert.equal(await (await again.open(name)).text(), texts.get(`P/${name}`));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a zip with a file that cannot be read fails, so that none is short of one", async () => {
  const stream = zipOf(fromInput([new File(["a"], "a")], "P"), namesInZip(["a", "none"]));
  await assert.rejects(new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).blob());
});

test("names in a zip begin below what all paths share, and no two are equal", () => {
  const path = fc.array(fc.constantFrom("a", "b", "ab", "a.b"), { minLength: 1, maxLength: 5 }).map((parts) => parts.join("/"));
  fc.assert(
    fc.property(fc.uniqueArray(path, { minLength: 1 }), (paths) => {
      const members = namesInZip(paths);
      assert.equal(new Set(members.map(({ name }) => name)).size, paths.length);
      for (const { path: whole, name } of members) assert.ok(name && whole.endsWith(name));
    }),
  );
});

test("the checksum is that of zip", () => {
  assert.equal(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
  assert.equal(crc32(new TextEncoder().encode("6789"), crc32(new TextEncoder().encode("12345"))), 0xcbf43926);
});

test("a name in UTF-8 that does not say so is read, as macOS writes it; others mean the first code page", async () => {
  for (const [encoding, name] of [["utf-8", "Übersicht 🏗.txt"], ["cp437", "Tür.txt"]] as const) {
    const zip = zipByPython(`
class Info(zipfile.ZipInfo):
    def _encodeFilenameFlags(self):
        return self.filename.encode("${encoding}"), 0
with zipfile.ZipFile(file, "w") as z:
    z.writestr(Info("${name}"), "1")
`);
    assert.deepEqual((await listed(await fromZip(zip))).files, [name]);
    assert.equal(await (await (await fromZip(zip)).open(name)).text(), "1");
  }
});
