/** Serves a contract: handlers as async functions and generators, on grpc-js. */
import { once } from "node:events";

import { fromBinary } from "@bufbuild/protobuf";
import type {
  DescMethod,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { status, type MethodDefinition, type ServerUnaryCall, type ServerWritableStream, type ServiceError, type sendUnaryData } from "@grpc/grpc-js";

import { bytesOf } from "./bytes.js";
import { callOf, type Call } from "./call.js";
import { asServiceError, handedOn, PluginError, Problem } from "./errors.js";
import { log, serving } from "./log.js";
import type { Part, Plugin } from "./plugin.js";

type Awaitable<T> = T | Promise<T>;

type Handler<M extends DescMethod> =
  M extends DescMethodUnary<infer I, infer O>
    ? (request: MessageShape<I>, call: Call) => Awaitable<MessageInitShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageShape<I>, call: Call) => AsyncIterable<MessageInitShape<O>>
      : never;

/** The rpcs of a contract that somebody has written; the others answer UNIMPLEMENTED. */
export type Implementation<S extends DescService> = { readonly [M in keyof S["method"]]?: Handler<S["method"][M]> };

/** Serve a contract, for example `service(LLMProvider, { async generateText(request) { … } })`. */
export function service<S extends DescService>(contract: S, implementation: Implementation<S>): Part {
  return { join: (plugin) => plugin.add(contract, implementation as Implementation<DescService>) };
}

type Request = MessageShape<DescMethod["input"]>;
type Unary = (request: Request, call: Call) => Awaitable<object>;
type Streaming = (request: Request, call: Call) => AsyncIterable<object>;

/** Writes an answer; one that is not the contract's is an error of its handler, like any other. */
type Write = (answer: object) => Buffer;

/** A method as grpc-js wants it. */
export function definition(contract: DescService, method: DescMethod): MethodDefinition<Request, Buffer> {
  return {
    path: `/${contract.typeName}/${method.name}`,
    requestStream: false,
    responseStream: method.methodKind === "server_streaming",
    requestSerialize: (message) => bytesOf(method.input, message),
    requestDeserialize: (bytes) => fromBinary(method.input, bytes),
    responseSerialize: (bytes) => bytes, // the handler's, which has written it
    responseDeserialize: (bytes) => bytes,
  };
}

/** A unary handler as grpc-js wants it. */
export function unary(plugin: Plugin, write: Write, path: string, handle: Unary) {
  return async (incoming: ServerUnaryCall<Request, Buffer>, answer: sendUnaryData<Buffer>): Promise<void> => {
    try {
      const call = callOf(plugin.setup, incoming);
      plugin.admit(call, path);
      answer(null, write(await serving.run(facts(call), handle, incoming.request, call)));
    } catch (error) {
      answer(explained(error, path, incoming.cancelled));
    }
  };
}

/** A streaming handler as grpc-js wants it. */
export function streaming(plugin: Plugin, write: Write, path: string, handle: Streaming) {
  return async (incoming: ServerWritableStream<Request, Buffer>): Promise<void> => {
    try {
      const call = callOf(plugin.setup, incoming);
      plugin.admit(call, path);
      await serving.run(facts(call), async () => {
        for await (const message of handle(incoming.request, call)) {
          if (incoming.cancelled) return; // leaving the loop ends the generator too
          if (!incoming.write(write(message))) await once(incoming, "drain", { signal: call.signal });
        }
      });
      incoming.end();
    } catch (error) {
      incoming.emit("error", explained(error, path, incoming.cancelled));
    }
  };
}

/** Say what a handler threw as a refusal; what nobody foresaw goes to the log, and the plugin lives on. */
function explained(error: unknown, path: string, cancelled: boolean): ServiceError {
  if (error instanceof PluginError) return asServiceError(error);
  if (cancelled) return refused(status.CANCELLED, "CALLER_LEFT", "the caller has left");
  if (error instanceof Problem) return refused(status.FAILED_PRECONDITION, "PLUGIN_PROBLEM", error.message);
  const elsewhere = handedOn(error);
  if (elsewhere) return elsewhere;
  log.error("a call failed", { method: path, error });
  return refused(status.INTERNAL, "PLUGIN_FAILED", "the plugin failed; its log says why");
}

function refused(code: status, reason: string, message: string): ServiceError {
  return asServiceError(new PluginError(code, reason, message));
}

function facts(call: Call): Record<string, string> {
  const known: Record<string, string> = {};
  const request = call.header("hector-request-id");
  const trace = call.header("traceparent");
  if (request) known.request_id = request;
  if (trace) known.traceparent = trace;
  return known;
}
