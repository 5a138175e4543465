/** Calls a contract: `client(ToolProvider, channel).listTools({})`. */
import { create, fromBinary } from "@bufbuild/protobuf";
import type {
  DescMethod,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { Metadata, type CallOptions, type Client as Channel } from "@grpc/grpc-js";

import { bytesOf } from "./bytes.js";

type Method<M extends DescMethod> =
  M extends DescMethodUnary<infer I, infer O>
    ? (request: MessageInitShape<I>) => Promise<MessageShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageInitShape<I>) => AsyncIterable<MessageShape<O>>
      : never;

/** A contract's rpcs as functions. A refusal is thrown as grpc-js's ServiceError. */
export type Client<S extends DescService> = { readonly [M in keyof S["method"]]: Method<S["method"][M]> };

/** What goes along with each call. */
export interface With {
  readonly metadata?: Metadata;
  readonly signal?: AbortSignal;
  readonly deadline?: Date | undefined;
}

/** Make the functions that call a contract. */
export function client<S extends DescService>(contract: S, channel: Channel, along: With = {}): Client<S> {
  const methods: Record<string, unknown> = {};
  for (const method of contract.methods) {
    const path = `/${contract.typeName}/${method.name}`;
    const write = (request: MessageInitShape<typeof method.input>): Buffer =>
      bytesOf(method.input, create(method.input, request));
    const read = (bytes: Buffer): MessageShape<typeof method.output> => fromBinary(method.output, bytes);
    const options: CallOptions = along.deadline ? { deadline: along.deadline } : {};
    methods[method.localName] =
      method.methodKind === "unary"
        ? (request: MessageInitShape<typeof method.input>) =>
            new Promise((resolve, reject) => {
              const call = channel.makeUnaryRequest(path, write, read, request, along.metadata ?? new Metadata(), options, (error, answer) =>
                error ? reject(error) : resolve(answer),
              );
              endWith(along.signal, call);
            })
        : (request: MessageInitShape<typeof method.input>) =>
            untilLeft(() => {
              const call = channel.makeServerStreamRequest(path, write, read, request, along.metadata ?? new Metadata(), options);
              endWith(along.signal, call);
              return call;
            });
  }
  return methods as Client<S>;
}

/**
 * Begin a stream when somebody reads it, for an error that nobody waits for would be nobody's, and give its messages; who leaves
 * it cancels the call, which grpc-js would let run on.
 */
async function* untilLeft<T>(begin: () => AsyncIterable<T> & { cancel(): void }): AsyncIterable<T> {
  const call = begin();
  try {
    yield* call;
  } finally {
    call.cancel();
  }
}

function endWith(signal: AbortSignal | undefined, call: { cancel(): void; once(event: "status", done: () => void): unknown }): void {
  if (!signal) return;
  if (signal.aborted) return call.cancel();
  const cancel = (): void => call.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  call.once("status", () => signal.removeEventListener("abort", cancel));
}
