/** A vector store in memory that compares with every record; put your own store in its place. */
import { PluginError, service, status } from "@hector/plugin";
import { DatabaseProvider, Metric, SearchMode, type VectorRecord } from "@hector/plugin/vector";

import { holds } from "./filters.ts";

interface Collection {
  readonly dimension: number;
  readonly metric: Metric;
  readonly records: Map<string, Kept>;
}

interface Kept {
  readonly record: VectorRecord;
  readonly vector: Float32Array;
}

const METRICS: readonly Metric[] = [Metric.COSINE, Metric.DOT, Metric.EUCLIDEAN];

export function store() {
  const collections = new Map<string, Collection>();

  function named(name: string): Collection {
    const found = collections.get(name);
    if (found) return found;
    throw new PluginError(status.NOT_FOUND, "COLLECTION_NOT_FOUND", `there is no collection "${name}"`);
  }

  return service(DatabaseProvider, {
    createCollection({ name, dimension, metric: asked }) {
      const metric = asked || Metric.COSINE;
      if (!name || !dimension || !METRICS.includes(metric)) {
        throw invalid("a collection needs a name, a dimension, and a metric that is known");
      }
      const there = collections.get(name);
      if (!there) collections.set(name, { dimension, metric, records: new Map() });
      else if (there.dimension !== dimension || there.metric !== metric) {
        const message = `${name} has ${there.dimension} dimensions and the metric ${Metric[there.metric]}`;
        throw new PluginError(status.FAILED_PRECONDITION, "COLLECTION_MISMATCH", message);
      }
      return { success: true };
    },

    deleteCollection({ name }) {
      collections.delete(name);
      return { success: true };
    },

    upsertVectors({ collection, vectors }) {
      const there = named(collection);
      const read = vectors.map((record) => ({ record, vector: vectorOf(record, there) }));
      if (vectors.some(({ id }) => !id)) throw invalid("every record needs an id");
      for (const one of read) there.records.set(one.record.id, one); // all or nothing: each was read before
      return { success: true, upserted: BigInt(read.length) };
    },

    searchVectors(request) {
      if (request.mode !== SearchMode.VECTOR && (request.mode || request.text)) {
        const message = "this store searches by vector, and not by words";
        throw new PluginError(status.UNIMPLEMENTED, "SEARCH_MODE_UNKNOWN", message); // the caller does without
      }
      const there = named(request.collection);
      const query = vectorOf(request, there);
      const { filter, threshold = -Infinity, offset } = request;
      const found = [...there.records.values()]
        .filter(({ record }) => !filter || holds(filter, metadataOf(record)))
        .map(({ record, vector }) => ({ record, score: score(there.metric, query, vector) }))
        .filter((one) => one.score >= threshold)
        .sort((one, other) => other.score - one.score || (one.record.id < other.record.id ? -1 : 1));
      const results = found
        .slice(offset, offset + (request.limit || 10))
        .map(({ record: { id, content, metadataJson }, score }) => ({ id, score, content, metadataJson }));
      return { success: true, results };
    },

    deleteVectors({ collection, ids, filter }) {
      if (ids.length === 0 && !filter) throw invalid("say which records to delete: ids or a filter");
      const { records } = named(collection);
      const doomed = new Set(ids.filter((id) => records.has(id)));
      for (const { record } of records.values()) {
        if (filter && holds(filter, metadataOf(record))) doomed.add(record.id);
      }
      for (const id of doomed) records.delete(id);
      return { success: true, deleted: BigInt(doomed.size) };
    },
  });
}

/** Read a vector in either form; vector_f32 wins. */
function vectorOf({ vector, vectorF32 }: { vector: number[]; vectorF32: Uint8Array }, { dimension }: Collection): Float32Array {
  if (vectorF32.length % 4 !== 0) throw invalid("vector_f32 does not have four bytes for each number");
  const bytes = new DataView(vectorF32.buffer, vectorF32.byteOffset, vectorF32.byteLength);
  const packed = Float32Array.from({ length: vectorF32.length / 4 }, (_, i) => bytes.getFloat32(4 * i, true));
  const read = packed.length > 0 ? packed : Float32Array.from(vector);
  if (read.length !== dimension) throw invalid(`found ${read.length} dimensions, allowed: ${dimension}`);
  return read;
}

function score(metric: Metric, one: Float32Array, other: Float32Array): number {
  let [dot, left, right, distance] = [0, 0, 0, 0];
  one.forEach((x, i) => {
    const y = other[i] ?? 0;
    dot += x * y;
    left += x * x;
    right += y * y;
    distance += (x - y) ** 2;
  });
  if (metric === Metric.EUCLIDEAN) return Math.fround(-Math.sqrt(distance));
  if (metric === Metric.DOT) return Math.fround(dot);
  return Math.fround(dot / (Math.sqrt(left) * Math.sqrt(right) || 1));
}

function metadataOf({ metadataJson }: VectorRecord): unknown {
  try {
    return JSON.parse(metadataJson || "{}");
  } catch {
    return {}; // what is no JSON has no fields
  }
}

function invalid(message: string): PluginError {
  return new PluginError(status.INVALID_ARGUMENT, "INVALID_ARGUMENT", message);
}
