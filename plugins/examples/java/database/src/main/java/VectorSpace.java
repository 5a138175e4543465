import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.protobuf.ByteString;
import dev.hector.vector.v1.DeleteVectorsRequest;
import dev.hector.vector.v1.Metric;
import dev.hector.vector.v1.SearchVectorsRequest;
import dev.hector.vector.v1.VectorRecord;
import dev.hector.vector.v1.VectorResult;
import java.nio.ByteOrder;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** One collection: its records, and how near to each other they are. */
final class VectorSpace {
  private static final int USUAL_LIMIT = 10;

  private final int dimension;
  private final Metric metric;
  private final Map<String, Kept> records = new TreeMap<>(); // by id, which decides where scores are the same

  private record Kept(VectorRecord record, float[] vector, JsonObject metadata) {}

  private record Found(VectorRecord record, float score) {}

  VectorSpace(int dimension, Metric metric) {
    this.dimension = dimension;
    this.metric = metric;
  }

  boolean isLike(VectorSpace other) {
    return dimension == other.dimension && metric == other.metric;
  }

  @Override
  public String toString() {
    return dimension + " dimensions and " + metric;
  }

  /** Takes all records or none; says how many. */
  synchronized int put(List<VectorRecord> given) {
    var all = new LinkedHashMap<String, Kept>();
    for (var record : given) {
      if (record.getId().isEmpty()) {
        throw Main.invalid("every record needs an id");
      }
      var vector = floats(record.getVectorList(), record.getVectorF32());
      all.put(record.getId(), new Kept(record, vector, metadata(record.getMetadataJson())));
    }
    records.putAll(all);
    return all.size();
  }

  synchronized List<VectorResult> nearest(SearchVectorsRequest request) {
    var query = floats(request.getVectorList(), request.getVectorF32());
    return records.values().stream()
        .filter(one -> !request.hasFilter() || Conditions.hold(request.getFilter(), one.metadata()))
        .map(one -> new Found(one.record(), score(query, one.vector())))
        .filter(one -> !request.hasThreshold() || one.score() >= request.getThreshold())
        .sorted(Comparator.comparing(Found::score).reversed())
        .skip(Integer.toUnsignedLong(request.getOffset()))
        .limit(request.getLimit() == 0 ? USUAL_LIMIT : Integer.toUnsignedLong(request.getLimit()))
        .map(VectorSpace::result)
        .toList();
  }

  synchronized int delete(DeleteVectorsRequest request) {
    var ids = new HashSet<>(request.getIdsList());
    var doomed =
        records.entrySet().stream()
            .filter(
                one ->
                    ids.contains(one.getKey())
                        || request.hasFilter() && Conditions.hold(request.getFilter(), one.getValue().metadata()))
            .map(Map.Entry::getKey)
            .toList(); // first all of them: a condition that cannot be looked at deletes nothing
    doomed.forEach(records::remove);
    return doomed.size();
  }

  /** A vector may come in either form; vector_f32 wins. */
  private float[] floats(List<Float> loose, ByteString packed) {
    if (packed.size() % Float.BYTES != 0) {
      throw Main.invalid("vector_f32 has " + packed.size() + " bytes, and not four for each number");
    }
    var floats = new float[packed.isEmpty() ? loose.size() : packed.size() / Float.BYTES];
    if (packed.isEmpty()) {
      for (int i = 0; i < floats.length; i++) {
        floats[i] = loose.get(i);
      }
    } else {
      packed.asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(floats);
    }
    if (floats.length != dimension) {
      throw Main.invalid("found " + floats.length + " dimensions, allowed: " + dimension);
    }
    return floats;
  }

  private float score(float[] one, float[] other) {
    double dot = 0;
    double left = 0;
    double right = 0;
    double distance = 0;
    for (int i = 0; i < dimension; i++) {
      dot += (double) one[i] * other[i];
      left += (double) one[i] * one[i];
      right += (double) other[i] * other[i];
      distance += ((double) one[i] - other[i]) * ((double) one[i] - other[i]);
    }
    double lengths = Math.sqrt(left) * Math.sqrt(right);
    return (float)
        switch (metric) {
          case METRIC_EUCLIDEAN -> -Math.sqrt(distance);
          case METRIC_DOT -> dot;
          default -> lengths == 0 ? 0 : dot / lengths;
        };
  }

  private static VectorResult result(Found found) {
    return VectorResult.newBuilder()
        .setId(found.record().getId())
        .setScore(found.score())
        .setContent(found.record().getContent())
        .setMetadataJson(found.record().getMetadataJson())
        .build();
  }

  private static JsonObject metadata(String json) {
    try {
      JsonElement metadata = json.isEmpty() ? new JsonObject() : JsonParser.parseString(json);
      if (metadata instanceof JsonObject object) {
        return object;
      }
    } catch (JsonParseException broken) {
      // as below
    }
    throw Main.invalid("metadata_json has to be a JSON object");
  }
}
