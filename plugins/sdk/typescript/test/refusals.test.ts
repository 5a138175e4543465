import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { test } from "node:test";

import { create, fromBinary } from "@bufbuild/protobuf";
import { anyUnpack, DurationSchema } from "@bufbuild/protobuf/wkt";
import { PluginError, service, status, tool, z } from "@hector/plugin";
import { LLMProvider } from "@hector/plugin/llm";
import { HostServices, Plugin } from "@hector/plugin/plugin";
import { start } from "@hector/plugin/testing";

import { ErrorInfoSchema, RetryInfoSchema, StatusSchema } from "../src/gen/wire_pb.js";

const DETAILS = "grpc-status-details-bin";

test("a refusal that is too long for metadata is cut, and arrives as what it is", async (t) => {
  const plugin = await start(tool("sum", "Adds up.", { numbers: z.array(z.int()) }, () => ""));
  t.after(() => plugin.close());
  await rejects(plugin.call("sum", { numbers: Array(5_000).fill("one") }), (error: { code: status; details: string }) => {
    equal(error.code, status.INVALID_ARGUMENT);
    ok(error.details.startsWith('arguments of "sum": '));
    ok(error.details.length < 5_000);
    return true;
  });
});

test("what the host refuses is refused to whoever asked the plugin", async (t) => {
  const full = service(HostServices, {
    putState() {
      throw new PluginError(status.RESOURCE_EXHAUSTED, "PLUGIN_STATE_FULL", "there is no room");
    },
  });
  const keep = tool("keep", "Keeps.", {}, (_, call) => call.host.putState({ key: "a" }));
  const [host, plugin] = [await start(full), await start(keep)];
  t.after(() => Promise.all([plugin.close(), host.close()]));
  await plugin.client(Plugin).configure({ hostTarget: host.target });
  await rejects(plugin.call("keep", {}), (error: { code: status; details: string; metadata: Map<string, Buffer[]> }) => {
    equal(error.code, status.RESOURCE_EXHAUSTED);
    equal(error.details, "there is no room");
    ok(error.metadata.get(DETAILS)?.[0]?.includes("PLUGIN_STATE_FULL"));
    return true;
  });
});

test("a refusal says when to try again", async (t) => {
  const busy = tool("busy", "Is busy.", {}, () => {
    throw new PluginError(status.RESOURCE_EXHAUSTED, "RATE_LIMITED", "too many questions", { retryAfterS: 1.5 });
  });
  const plugin = await start(busy);
  t.after(() => plugin.close());
  await rejects(plugin.call("busy", {}), (error: { code: status; metadata: Map<string, Buffer[]> }) => {
    equal(error.code, status.RESOURCE_EXHAUSTED);
    const [info, retry] = fromBinary(StatusSchema, error.metadata.get(DETAILS)?.[0] ?? Buffer.of()).details;
    equal(info && anyUnpack(info, ErrorInfoSchema)?.reason, "RATE_LIMITED");
    deepEqual(retry && anyUnpack(retry, RetryInfoSchema)?.retryDelay, create(DurationSchema, { seconds: 1n, nanos: 500_000_000 }));
    return true;
  });
});

test("an answer that is not the contract's is the plugin's failure, and tells nobody what it held", async (t) => {
  const wrong = { usage: { promptTokens: "geheim" as never } };
  const plugin = await start(
    service(LLMProvider, {
      generateText: () => wrong,
      async *streamText() {
        yield wrong;
      },
    }),
  );
  t.after(() => plugin.close());
  const failed = { code: status.INTERNAL, details: "the plugin failed; its log says why" };
  const models = plugin.client(LLMProvider);
  await rejects(models.generateText({}), failed);
  await rejects(async () => {
    for await (const _ of models.streamText({}));
  }, failed);
});
