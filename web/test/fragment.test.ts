/** The address of a view: written when nothing has changed for a moment, and not while the browser asks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import "./browser";
import { followAddress, keepAddressWhile, pushFragment, setFragment } from "../shared/fragment";

test("the address is not written while the browser asks a person, and then at once", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const written: string[] = [];
  const write = (_state: unknown, _title: string, address: string) => written.push((location.hash = address));
  context.mock.method(history, "replaceState", write);
  context.mock.method(history, "pushState", write);
  followAddress();
  setFragment({ q: "first" });
  context.mock.timers.tick(1000);
  assert.deepEqual(written, ["#q=first"]);
  let answer = (_given: string): void => undefined;
  const asking = keepAddressWhile(new Promise<string>((done) => (answer = done)));
  const refused = assert.rejects(keepAddressWhile(Promise.reject(new Error("cannot ask"))), /cannot ask/);
  setFragment({ q: "second" });
  await refused;
  context.mock.timers.tick(1000);
  assert.deepEqual(written, ["#q=first"]);
  answer("granted");
  assert.equal(await asking, "granted");
  assert.deepEqual(written, ["#q=first", "#q=second"]);
  pushFragment({ q: "third" });
  assert.deepEqual(written, ["#q=first", "#q=second", "#q=third"]);
});
