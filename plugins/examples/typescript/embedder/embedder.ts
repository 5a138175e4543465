/** An embedder: hash makes a vector of a text's SHA-256. */
import { createHash } from "node:crypto";

import { PluginError, service, status } from "@hector/plugin";
import { EmbedderProvider } from "@hector/plugin/embedder";

const MODEL = "hash";
const DIMENSIONS = 8;
const MAX_BATCH = 128;

export const hash = service(EmbedderProvider, {
  embedText(request) {
    check(request);
    return { success: true, vectorF32: embed("text", request.text), usage: usage([request.text]) };
  },

  embedBatch(request) {
    check(request);
    const { texts } = request;
    if (texts.length > MAX_BATCH) throw refused(`${texts.length} texts are too many: a batch holds at most ${MAX_BATCH}`);
    const embeddings = texts.map((text, i) => ({ vectorF32: embed(`texts[${i}]`, text) }));
    return { success: true, embeddings, usage: usage(texts) };
  },

  getDimensions(request) {
    check({ model: request.model, dimensions: 0 });
    return { dimensions: DIMENSIONS, maxBatch: MAX_BATCH, normalized: true, fingerprint: "sha256-8" };
  },
});

function check({ model, dimensions }: { model: string; dimensions: number }): void {
  if (model && model !== MODEL) {
    throw new PluginError(status.NOT_FOUND, "MODEL_NOT_FOUND", `there is no model "${model}" here, but "${MODEL}"`);
  }
  if (dimensions !== 0 && dimensions !== DIMENSIONS) {
    throw refused(`vectors of ${dimensions} dimensions are not to be had, only of ${DIMENSIONS}`);
  }
}

function embed(place: string, text: string): Uint8Array {
  if (!text.trim()) throw refused(`${place} has no words: an empty text has no vector`);
  const digest = createHash("sha256").update(text, "utf8").digest();
  const numbers = Array.from({ length: DIMENSIONS }, (_, i) => digest.readUInt32BE(4 * i) / 2 ** 32 - 0.5);
  const length = Math.hypot(...numbers);
  const vector = Buffer.alloc(4 * DIMENSIONS);
  numbers.forEach((number, i) => vector.writeFloatLE(number / length, 4 * i));
  return vector;
}

function refused(message: string): PluginError {
  return new PluginError(status.INVALID_ARGUMENT, "EMBEDDING_REFUSED", message);
}

function usage(texts: readonly string[]) {
  const words = BigInt(texts.reduce((sum, text) => sum + (text.match(/\S+/g)?.length ?? 0), 0));
  return { promptTokens: words, totalTokens: words };
}
