import { equal } from "node:assert/strict";
import { test } from "node:test";

import { Guardrail, Stage, Verdict } from "@hector/plugin/guardrail";
import { start } from "@hector/plugin/testing";

import { cards } from "./guardrail.ts";

test("the number of a card is taken out", async (t) => {
  const plugin = await start(cards);
  t.after(() => plugin.close());
  const parts = [{ content: { case: "text" as const, value: "🚀 to 4111 1111 1111 1111." } }];
  const answer = await plugin.client(Guardrail).checkContent({ stage: Stage.USER_INPUT, parts });
  equal(answer.verdict, Verdict.MODIFY);
  equal(answer.parts[0]?.content.value, "🚀 to [card].");
  equal(answer.findings[0]?.start, 5);
});
