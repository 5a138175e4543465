import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import dev.hector.common.v1.Filter;
import dev.hector.common.v1.Value;
import dev.hector.plugin.Refused;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import java.util.OptionalInt;
import java.util.stream.StreamSupport;

/** Whether a condition holds for a record's metadata. */
final class Conditions {
  private Conditions() {}

  static boolean hold(Filter condition, JsonObject metadata) {
    return switch (condition.getNodeCase()) {
      case ALL -> condition.getAll().getFiltersList().stream().allMatch(one -> hold(one, metadata));
      case ANY -> condition.getAny().getFiltersList().stream().anyMatch(one -> hold(one, metadata));
      case NOT -> !hold(condition.getNot(), metadata);
      case COMPARE -> holds(condition.getCompare(), at(condition.getCompare().getField(), metadata));
      case NODE_NOT_SET -> throw unknown("a condition of that kind"); // leaving it out would find too much
    };
  }

  private static boolean holds(Filter.Compare compare, JsonElement found) {
    var values = compare.getValuesList().stream().map(Conditions::plain).toList();
    switch (compare.getOp()) {
      case OP_EXISTS:
        return found != null;
      case OP_IN:
        return values.contains(found);
      case OP_NOT_IN:
        return !values.contains(found);
      default:
        if (values.size() != 1) {
          throw Main.invalid(compare.getField() + ": one value is needed");
        }
    }
    var value = values.get(0);
    var order = order(found, value);
    return switch (compare.getOp()) {
      case OP_EQ -> value.equals(found);
      case OP_NE -> !value.equals(found);
      case OP_LT -> order.isPresent() && order.getAsInt() < 0;
      case OP_LE -> order.isPresent() && order.getAsInt() <= 0;
      case OP_GT -> order.isPresent() && order.getAsInt() > 0;
      case OP_GE -> order.isPresent() && order.getAsInt() >= 0;
      case OP_CONTAINS -> contains(found, value);
      default -> throw unknown("an operator of that kind");
    };
  }

  /** What stands at a dotted path; null if nothing does. */
  private static JsonElement at(String path, JsonObject metadata) {
    JsonElement found = metadata;
    for (var name : path.split("\\.")) {
      found = found instanceof JsonObject object ? object.get(name) : null;
    }
    return found;
  }

  private static JsonPrimitive plain(Value value) {
    return switch (value.getKindCase()) {
      case INT_VALUE -> new JsonPrimitive(value.getIntValue());
      case DOUBLE_VALUE -> new JsonPrimitive(value.getDoubleValue());
      case BOOL_VALUE -> new JsonPrimitive(value.getBoolValue());
      default -> new JsonPrimitive(value.getStringValue());
    };
  }

  /** Numbers and texts have an order among themselves, and nothing else has. */
  private static OptionalInt order(JsonElement found, JsonPrimitive value) {
    if (found instanceof JsonPrimitive one && one.isNumber() && value.isNumber()) {
      return OptionalInt.of(Double.compare(one.getAsDouble(), value.getAsDouble()));
    }
    if (found instanceof JsonPrimitive one && one.isString() && value.isString()) {
      return OptionalInt.of(one.getAsString().compareTo(value.getAsString()));
    }
    return OptionalInt.empty();
  }

  private static boolean contains(JsonElement found, JsonPrimitive value) {
    if (found instanceof JsonArray list) {
      return StreamSupport.stream(list.spliterator(), false).anyMatch(value::equals);
    }
    boolean texts = found instanceof JsonPrimitive one && one.isString() && value.isString();
    return texts && found.getAsString().contains(value.getAsString());
  }

  private static StatusRuntimeException unknown(String what) {
    return Refused.with(Code.UNIMPLEMENTED, "OPERATOR_UNKNOWN", "this store cannot do " + what);
  }
}
