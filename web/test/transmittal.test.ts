/** Canonical JSON and the data of transmittals, by the specification that Python is tested with as well. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import canonicalSpec from "../../spec/canonical.json";
import transmittalSpec from "../../spec/transmittal.json";
import { canonicalBytes, formatJson, JsonError, parseJson, type Json, type JsonObject } from "../shared/canonical";
import { findBlock, tagsOf } from "../shared/transmittal/block";
import { fileName, folderName, problemsOf } from "../shared/transmittal/checks";
import { checkData, parseTransmittal, placeOfFile, stateOf, textOf, type ListedFile } from "../shared/transmittal/data";
import { COMPATIBLE_ITERATIONS, generateKey, openKey, parseKeyFile, writeKey } from "../shared/transmittal/keyFiles";
import { formatKnownKeys, judge, parseKnownKeys } from "../shared/transmittal/knownKeys";
import {
  addSignature,
  checkSignatures,
  fingerprintOf,
  makeEnvelope,
  payloadDigest,
  thumbprintOf,
} from "../shared/transmittal/signatures";
import { formatBlock, makePayload, sortRows } from "../shared/transmittal/writing";

type Row = Record<string, unknown>;
const cases = (name: keyof typeof transmittalSpec): Row[] => transmittalSpec[name] as unknown as Row[];
const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
/** As `parseJson` reads it: texts that half a pair stands in cannot be had from a file of this specification. */
const json = (value: unknown): Json => parseJson(JSON.stringify(value));
const object = (value: unknown): JsonObject => json(value) as JsonObject;
const text = (value: Uint8Array): string => new TextDecoder().decode(value);
const listed = ({ fileSize, ...texts }: Row): ListedFile => ({ ...texts, size: fileSize }) as unknown as ListedFile;

function double(bits: string): number {
  return Buffer.from(bits, "hex").readDoubleBE(0);
}

function reasonFor(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return error instanceof JsonError ? error.reason : (error as Error).message;
  }
  return "";
}

test("the canonical form is as specified, and what is no such JSON is refused where it is wrong", () => {
  for (const one of canonicalSpec.canonical) {
    assert.equal(text(canonicalBytes(parseJson(one.text))), one.canonical, one.rule);
  }
  for (const one of canonicalSpec.refused as Row[]) {
    const given = (one["text"] as string | undefined) ?? (one["repeated"] as string).repeat(one["times"] as number);
    assert.throws(
      () => parseJson(given),
      ({ reason, line, column }: JsonError) => {
        assert.deepEqual([reason, line, column], [one["reason"], one["line"], one["column"]], one["rule"] as string);
        return true;
      },
      one["rule"] as string,
    );
  }
  for (const one of canonicalSpec.refused_bytes) {
    assert.equal(reasonFor(() => parseJson(Buffer.from(one.hex, "hex"))), one.reason, one.rule);
  }
  for (const one of canonicalSpec.numbers) assert.equal(text(canonicalBytes(double(one.bits))), one.canonical);
  for (const bits of canonicalSpec.unwritable_numbers) assert.throws(() => canonicalBytes(double(bits)), JsonError);
});

const values = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom(null, true, false),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, min: -(2 ** 53), max: 2 ** 53 }), // a larger one is written as an integer that is refused
    fc.string({ unit: "grapheme" }),
    fc.array(tie("value")),
    fc.dictionary(fc.string({ unit: "grapheme" }), tie("value")),
  ),
})).value;

test("any value is read back from its canonical form and from the one for people", () => {
  fc.assert(
    fc.property(values, (value) => {
      const written = JSON.stringify(value);
      const read = parseJson(written);
      const canonical = text(canonicalBytes(read));
      assert.deepEqual(JSON.parse(canonical), JSON.parse(written));
      assert.equal(text(canonicalBytes(parseJson(canonical))), canonical);
      assert.equal(text(canonicalBytes(parseJson(formatJson(read)))), canonical);
    }),
  );
});

test("the data is found, and refused, as specified", () => {
  for (const one of cases("blocks")) {
    const html = one["html"] as string;
    if ("payload" in one) {
      assert.deepEqual(parseTransmittal(html).payload, json(one["payload"]), one["rule"] as string);
      continue;
    }
    assert.throws(
      () => parseTransmittal(html),
      (error: JsonError) => {
        const place = "line" in one ? [error.reason, error.line, error.column] : [error.message];
        const wanted = "line" in one ? [one["reason"], one["line"], one["column"]] : [one["reason"]];
        assert.deepEqual(place, wanted, one["rule"] as string);
        return true;
      },
    );
  }
  for (const one of cases("malformed")) {
    assert.equal(reasonFor(() => checkData(json(one["data"]))), one["reason"], one["rule"] as string);
  }
});

test("documents are judged as specified", async () => {
  for (const one of cases("documents")) {
    const read = checkData(json(one["data"]));
    const rule = one["rule"] as string;
    assert.equal(stateOf(read), one["state"], rule);
    const check = await checkSignatures(read);
    assert.deepEqual([check.digest, check.intact], [one["digest"], one["intact"]], rule);
    const shown = check.signatures.map(({ valid, reason, thumbprint, label, signedAt, attested }) => {
      const all = { valid, reason, fingerprint: fingerprintOf(thumbprint), label, signedAt, attested };
      return Object.fromEntries(Object.entries(all).filter(([key, value]) => key !== "reason" || value !== ""));
    });
    const wanted = (one["signatures"] as Row[]).map((row) => ({ fingerprint: "", ...row }));
    assert.deepEqual(shown.map(sortKeys), wanted.map(sortKeys), rule);
  }
});

function sortKeys(row: object): [string, unknown][] {
  return Object.entries(row).sort(([one], [other]) => (one < other ? -1 : 1));
}

test("names, order and problems are as specified", () => {
  for (const one of cases("names")) {
    const payload = object(one["payload"]);
    const options = { draft: one["draft"] as boolean, revision: (one["revision"] as string | undefined) ?? "" };
    const names = [() => folderName(payload), () => fileName(payload, options)].map((name) => {
      try {
        return name();
      } catch {
        return "";
      }
    });
    assert.deepEqual(names, [one["folder"], one["file"]], one["rule"] as string);
  }
  const order = transmittalSpec.order as unknown as { rows: Row[]; sorted: string[] };
  const rows = order.rows.map(listed);
  assert.deepEqual(sortRows(rows).map(placeOfFile), order.sorted);
  for (const one of cases("checks")) {
    const transmittal = checkData(json({ payload: one["payload"] }));
    assert.deepEqual(problemsOf(transmittal, one["today"] as string), one["problems"], one["rule"] as string);
  }
});

test("what is written is what Python writes, byte for byte", async () => {
  const presentation = object({ leftLogo: "", rightLogo: "", theme: "default", customCss: "" });
  for (const one of cases("written")) {
    const files = (one["files"] as Row[]).map(listed);
    const options = { draft: one["draft"] as boolean, revision: one["revision"] as string };
    const payload = makePayload(one["fields"] as Record<string, string>, files, options);
    assert.equal(await payloadDigest(payload), one["digest"], one["rule"] as string);
    const envelope = options.draft ? new Map() : await makeEnvelope(payload, new Date(one["now"] as string));
    const block = formatBlock({ payload, envelope, presentation });
    assert.equal(block, one["block"], one["rule"] as string);
    const [start, end] = findBlock(block);
    assert.deepEqual(parseTransmittal(block.slice(start, end)), { payload, envelope, presentation });
  }
});

test("key files are opened, and refused, as specified", async () => {
  for (const one of cases("key_files")) {
    const found = await open(one).catch((error: Error) => ({ reason: error.message }));
    const wanted = "reason" in one ? { reason: one["reason"] } : { thumbprint: one["thumbprint"] };
    assert.deepEqual(found, wanted, one["rule"] as string);
  }
});

async function open(one: Row): Promise<{ thumbprint: string }> {
  const key = await openKey(parseKeyFile(bytes(one["file"])), one["password"] as string);
  return { thumbprint: await thumbprintOf(key.jwk) };
}

test("known keys are read and judged as specified", async () => {
  for (const one of cases("malformed_known_keys")) {
    assert.equal(reasonFor(() => parseKnownKeys(bytes(one["known_keys"]))), one["reason"], one["rule"] as string);
  }
  for (const one of cases("verdicts")) {
    const keys = parseKnownKeys(bytes(one["known_keys"]));
    assert.deepEqual(parseKnownKeys(formatKnownKeys(keys)), keys);
    const document = cases("documents").find((other) => other["rule"] === one["document"])!;
    const read = checkData(json(document["data"]));
    const [signature] = (await checkSignatures(read)).signatures;
    const { verdict, name, reason } = judge(signature!, keys, textOf(read.envelope, "digestedAt"));
    assert.deepEqual([verdict, name, reason], [one["verdict"], one["name"], one["reason"]], one["rule"] as string);
  }
});

test("a key that was made signs, and what was signed is valid until a byte changes", async () => {
  const made = await generateKey();
  const key = await openKey(parseKeyFile(new TextEncoder().encode(await writeKey(made, "Grüße", COMPATIBLE_ITERATIONS))), "Grüße");
  await assert.rejects(() => writeKey(made, ""), /the password is empty/);
  const one = cases("written")[0]!;
  const files = (one["files"] as Row[]).map(listed);
  const payload = makePayload(one["fields"] as Record<string, string>, files, { draft: false });
  const envelope = await makeEnvelope(payload, new Date());
  const presentation = new Map();
  const signed = await addSignature({ payload, envelope, presentation }, key, "Acme", new Date());
  const twice = await addSignature(signed, key, "Received By", new Date());
  const { signatures, intact } = await checkSignatures(twice);
  assert.deepEqual([intact, ...signatures.map((s) => [s.valid, s.attested, s.label])], [true, [true, true, "Acme"], [true, true, "Received By"]]);
  const changed = { ...twice, payload: new Map([...payload, ["subject", "another"]]) };
  assert.deepEqual((await checkSignatures(changed)).signatures.map((s) => s.valid), [false, false]);
  await assert.rejects(() => addSignature(changed, key, "", new Date()), /the digest is not that of the payload/);
});

// One way to read it, with no thought for how long that takes.
const TAG = /<script(?=[ \t-\r/>])((?:"[^"]*"|'[^']*'|[^>"'])*)>/gi;

test("tags are found where one attempt after the other finds them", () => {
  const pieces = ["<script ", "<script>", "<SCRIPT/", "<script", "'", '"', ">", "a", " "];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 14 }), (parts) => {
      const html = parts.join("");
      const wanted = [...html.matchAll(TAG)].map((one) => [one.index + "<script".length, one.index + one[0].length - 1]);
      assert.deepEqual([...tagsOf(html)], wanted);
    }),
  );
});

test("tags that never end take no longer than the page is long", () => {
  for (const piece of ["<script ", "<script '", "<script \"<script '", "<script a='>"]) {
    assert.throws(() => findBlock(piece.repeat(1 << 15)), /no data block/);
  }
});
