package dev.hector.plugin;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import java.io.IOException;
import java.io.StringReader;
import java.lang.reflect.Constructor;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A record as JSON: its schema, and how JSON becomes one. Parts may be texts, numbers, truth values, enums, lists, maps
 * with text keys, other records, {@link Optional}s of these, and {@link JsonElement}.
 */
final class Shape {
  private Shape() {}

  /** JSON that does not fit; {@code path} is a JSON pointer to the place. */
  static final class Misfit extends Exception {
    final String path;

    Misfit(String path, String sentence) {
      super(sentence, null, false, false);
      this.path = path;
    }
  }

  /** Reads text that has to be a JSON object; an empty text is an empty one. */
  static JsonObject object(String text) throws Misfit {
    if (text.isEmpty()) {
      return new JsonObject();
    }
    try {
      var reader = new JsonReader(new StringReader(text));
      reader.setStrictness(Strictness.STRICT);
      var element = JsonParser.parseReader(reader);
      if (reader.peek() == JsonToken.END_DOCUMENT && element instanceof JsonObject object) {
        return object;
      }
      throw new Misfit("", "it is JSON of another kind");
    } catch (JsonParseException | IOException | IllegalStateException broken) {
      throw new Misfit("", "it cannot be read as JSON");
    }
  }

  /** Makes a record of JSON. */
  static <R extends Record> R read(Class<R> kind, JsonObject given) throws Misfit {
    return record(kind, given, "");
  }

  /** The JSON Schema of a record: what it asks for, and nothing beyond it. */
  static JsonObject schema(Class<? extends Record> kind) {
    var properties = new JsonObject();
    var required = new JsonArray();
    for (var part : kind.getRecordComponents()) {
      var property = schema(part.getGenericType());
      var about = part.getAnnotation(About.class);
      if (about != null) {
        property.addProperty("description", about.value());
      }
      var fallback = fallback(part);
      if (fallback != null) {
        property.add("default", fallback);
      } else if (part.getType() != Optional.class) {
        required.add(part.getName());
      }
      if (part.isAnnotationPresent(Secret.class)) {
        property.addProperty("writeOnly", true);
      }
      properties.add(part.getName(), property);
    }
    var schema = new JsonObject();
    schema.addProperty("type", "object");
    schema.add("properties", properties);
    if (!required.isEmpty()) {
      schema.add("required", required);
    }
    schema.addProperty("additionalProperties", false);
    return schema;
  }

  private static JsonObject schema(Type type) {
    if (type instanceof Class<?> kind && kind.isRecord()) {
      return schema(kind.asSubclass(Record.class));
    }
    var schema = new JsonObject();
    if (type instanceof ParameterizedType generic) {
      var last = generic.getActualTypeArguments()[generic.getActualTypeArguments().length - 1];
      if (generic.getRawType() == Optional.class) {
        return schema(last);
      }
      boolean list = generic.getRawType() == List.class;
      schema.addProperty("type", list ? "array" : "object");
      schema.add(list ? "items" : "additionalProperties", schema(last));
    } else if (type instanceof Class<?> kind && kind.isEnum()) {
      var words = new JsonArray();
      Arrays.stream(kind.getEnumConstants()).forEach(word -> words.add(((Enum<?>) word).name()));
      schema.add("enum", words);
    } else if (!JsonElement.class.isAssignableFrom((Class<?>) type)) {
      schema.addProperty("type", word((Class<?>) type));
    }
    return schema;
  }

  private static <R extends Record> R record(Class<R> kind, JsonObject given, String path) throws Misfit {
    var parts = kind.getRecordComponents();
    var names = Arrays.stream(parts).map(RecordComponent::getName).toList();
    for (var name : given.keySet()) {
      if (!names.contains(name)) {
        var allowed = names.isEmpty() ? "nothing" : String.join(", ", names);
        throw new Misfit(path + pointer(name), name + " is not known here; allowed: " + allowed);
      }
    }
    var values = new Object[parts.length];
    for (int i = 0; i < parts.length; i++) {
      var place = path + pointer(names.get(i));
      var value = given.has(names.get(i)) ? given.get(names.get(i)) : fallback(parts[i]);
      if (value == null && parts[i].getType() != Optional.class) {
        throw new Misfit(place, names.get(i) + " is missing");
      }
      values[i] = value(parts[i].getGenericType(), value == null ? JsonNull.INSTANCE : value, place);
    }
    return made(kind, parts, values, path);
  }

  private static <R extends Record> R made(Class<R> kind, RecordComponent[] parts, Object[] values, String path)
      throws Misfit {
    try {
      var types = Arrays.stream(parts).map(RecordComponent::getType).toArray(Class<?>[]::new);
      Constructor<R> constructor = kind.getDeclaredConstructor(types);
      constructor.setAccessible(true);
      return constructor.newInstance(values);
    } catch (java.lang.reflect.InvocationTargetException refused) {
      throw new Misfit(path, String.valueOf(refused.getCause().getMessage()));
    } catch (ReflectiveOperationException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  private static Object value(Type type, JsonElement given, String path) throws Misfit {
    if (type instanceof ParameterizedType generic) {
      return generic(generic, given, path);
    }
    var kind = (Class<?>) type;
    if (kind.isRecord() && given instanceof JsonObject object) {
      return record(kind.asSubclass(Record.class), object, path);
    }
    if (JsonElement.class.isAssignableFrom(kind) && kind.isInstance(given)) {
      return given;
    }
    if (given instanceof JsonPrimitive primitive) {
      var fits = simple(kind, primitive);
      if (fits != null) {
        return fits;
      }
    }
    throw new Misfit(path, "it has to be of type " + word(kind));
  }

  private static Object generic(ParameterizedType type, JsonElement given, String path) throws Misfit {
    var arguments = type.getActualTypeArguments();
    var last = arguments[arguments.length - 1];
    if (type.getRawType() == Optional.class) {
      return given.isJsonNull() ? Optional.empty() : Optional.of(value(last, given, path));
    }
    if (type.getRawType() == List.class && given instanceof JsonArray array) {
      var list = new ArrayList<>();
      for (int i = 0; i < array.size(); i++) {
        list.add(value(last, array.get(i), path + "/" + i));
      }
      return List.copyOf(list);
    }
    if (type.getRawType() == Map.class && given instanceof JsonObject object) {
      var map = new LinkedHashMap<String, Object>();
      for (var entry : object.entrySet()) {
        map.put(entry.getKey(), value(last, entry.getValue(), path + pointer(entry.getKey())));
      }
      return Collections.unmodifiableMap(map);
    }
    throw new Misfit(path, "it has to be of type " + (type.getRawType() == List.class ? "array" : "object"));
  }

  private static Object simple(Class<?> kind, JsonPrimitive given) {
    if (kind == String.class) {
      return given.isString() ? given.getAsString() : null;
    }
    if (kind == boolean.class || kind == Boolean.class) {
      return given.isBoolean() ? given.getAsBoolean() : null;
    }
    if (kind.isEnum()) {
      var words = Arrays.stream(kind.getEnumConstants());
      return words.filter(word -> ((Enum<?>) word).name().equals(given.getAsString())).findAny().orElse(null);
    }
    if (!given.isNumber()) {
      return null;
    }
    try {
      BigDecimal number = given.getAsBigDecimal();
      if (kind == int.class || kind == Integer.class) {
        return number.intValueExact();
      }
      if (kind == long.class || kind == Long.class) {
        return number.longValueExact();
      }
      boolean fits = (kind == double.class || kind == Double.class) && Double.isFinite(number.doubleValue());
      return fits ? (Object) number.doubleValue() : null;
    } catch (ArithmeticException | NumberFormatException notWholeOrBeyondAllMeasure) {
      return null;
    }
  }

  private static String word(Class<?> kind) {
    if (kind == String.class || kind.isEnum()) {
      return "string";
    }
    if (kind == boolean.class || kind == Boolean.class) {
      return "boolean";
    }
    if (kind == double.class || kind == Double.class) {
      return "number";
    }
    if (kind.isRecord() || kind == JsonObject.class) {
      return "object";
    }
    if (kind == int.class || kind == Integer.class || kind == long.class || kind == Long.class) {
      return "integer";
    }
    throw new IllegalArgumentException(kind + " cannot be a part of a record that is read from JSON");
  }

  private static JsonElement fallback(RecordComponent part) {
    var fallback = part.getAnnotation(Fallback.class);
    if (fallback == null) {
      return null;
    }
    boolean word = part.getType() == String.class || part.getType().isEnum();
    return word ? new JsonPrimitive(fallback.value()) : JsonParser.parseString(fallback.value());
  }

  private static String pointer(String name) {
    return "/" + name.replace("~", "~0").replace("/", "~1");
  }
}
