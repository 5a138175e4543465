import { deepEqual, rejects } from "node:assert/strict";
import { test } from "node:test";

import { start } from "@hector/plugin/testing";
import { DatabaseProvider } from "@hector/plugin/vector";

import { store } from "./store.ts";

test("what is nearest is found first", async (t) => {
  const plugin = await start(store());
  t.after(() => plugin.close());
  const database = plugin.client(DatabaseProvider);
  await database.createCollection({ name: "places", dimension: 2 });
  const vectors = [
    { id: "east", vector: [1, 0] },
    { id: "north", vector: [0, 1] },
  ];
  await database.upsertVectors({ collection: "places", vectors });
  const { results } = await database.searchVectors({ collection: "places", vector: [0.1, 0.9] });
  deepEqual(
    results.map(({ id }) => id),
    ["north", "east"],
  );
  await rejects(database.searchVectors({ collection: "places", text: "north" }), /by vector, and not by words/);
});
