import assert from "node:assert/strict";
import { test } from "node:test";
import { haveSameBytes } from "../shared/files/sameBytes";

test("two files are the same where all their bytes are, over the borders of pieces", async () => {
  const bytes = new Uint8Array(9 * 1024 * 1024).map((_, n) => n % 251);
  assert.equal(await haveSameBytes(new Blob([bytes]), new Blob([bytes])), true);
  for (const at of [0, 4 * 1024 * 1024 - 1, 4 * 1024 * 1024, bytes.length - 1]) {
    const other = bytes.slice();
    other[at]! ^= 1;
    assert.equal(await haveSameBytes(new Blob([bytes]), new Blob([other])), false);
  }
  assert.equal(await haveSameBytes(new Blob([bytes]), new Blob([bytes.slice(1)])), false);
  assert.equal(await haveSameBytes(new Blob([]), new Blob([])), true);
});
