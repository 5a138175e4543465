import { equal } from "node:assert/strict";
import { test } from "node:test";

import { ReasoningStrategy } from "@hector/plugin/reasoning";
import { start } from "@hector/plugin/testing";

import { oneShot } from "./strategy.ts";

test("it asks the model first", async (t) => {
  const plugin = await start(oneShot);
  t.after(() => plugin.close());
  const strategy = plugin.client(ReasoningStrategy);
  const { state } = await strategy.initialize({ run: "r1" });
  const decided = await strategy.processIteration({ state, iteration: 1 });
  equal(decided.done, false);
  equal(decided.actions[0]?.action.case, "ask");
});
