import assert from "node:assert/strict";
import { test } from "node:test";
import "./browser";

const { readResponseDue } = await import("../archive/answers");

test("the day that a transmittal asks for is read from its page, and nothing else is taken for one", () => {
  const page = (json: string) => `<!doctype html><script id="transmittal-data" type="application/json">${json}</script>`;
  assert.equal(readResponseDue(page('{"payload": {"responseDue": "2025-04-30"}}')), "2025-04-30");
  for (const json of ['{"payload": {"responseDue": "30.04.2025"}}', '{"payload": {"responseDue": 5}}', '{"payload": null}', "[]", "null", "{", '{"__proto__": {"payload": {"responseDue": "2025-04-30"}}}']) {
    assert.equal(readResponseDue(page(json)), "");
  }
  assert.equal(readResponseDue("<p>no data"), "");
  assert.equal(readResponseDue(page("{}") + page("{}")), "");
});
