import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";

import { start } from "@hector/plugin/testing";

import { config, upper } from "./tools.ts";

test("texts are turned into upper case", async (t) => {
  const plugin = await start(config, upper);
  t.after(() => plugin.close());
  deepEqual(await plugin.configure({ suffix: "!" }), []);
  equal((await plugin.call("upper", { text: "straße" })).result, "STRASSE!");
});
