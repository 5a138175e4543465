package dev.hector.plugin;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.gson.JsonParser;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ShapeTest {
  enum Loudness {
    SOFT,
    LOUD
  }

  record Place(String city) {}

  record Sample(
      @About("How often.") @Fallback("1") int times,
      @Fallback("SOFT") Loudness loudness,
      Optional<Place> place,
      @Secret @Fallback("") String key,
      @Fallback("[]") List<String> words,
      @Fallback("{}") Map<String, Double> weights) {}

  private static Sample read(String json) throws Shape.Misfit {
    return Shape.read(Sample.class, Shape.object(json));
  }

  @Test
  void whatIsNotSaidHasItsFallback() throws Shape.Misfit {
    assertEquals(new Sample(1, Loudness.SOFT, Optional.empty(), "", List.of(), Map.of()), read(""));
  }

  @Test
  void whatIsSaidIsRead() throws Shape.Misfit {
    var read =
        read("{\"times\": 3, \"loudness\": \"LOUD\", \"place\": {\"city\": \"Troy\"}, \"words\": [\"a\"], \"weights\": {\"b\": 2}}");
    var expected =
        new Sample(3, Loudness.LOUD, Optional.of(new Place("Troy")), "", List.of("a"), Map.of("b", 2.0));
    assertEquals(expected, read);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{\"surprise\": 1}            | /surprise",
        "{\"times\": true}            | /times",
        "{\"times\": 1.5}             | /times",
        "{\"times\": null}            | /times",
        "{\"times\": 1e10001}         | /times",
        "{\"weights\": {\"b\": 1e400}} | /weights/b",
        "{\"loudness\": \"soft\"}     | /loudness",
        "{\"place\": {}}              | /place/city",
        "{\"words\": [\"a\", 2]}      | /words/1",
        "{\"weights\": {\"a/b\": []}} | /weights/a~1b"
      })
  void problemsNameTheirPlace(String json, String path) {
    assertEquals(path, assertThrows(Shape.Misfit.class, () -> read(json)).path);
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '`', value = {"[]", "nonsense", "{", "{} {}", "null", "{a: 1}"})
  void whatIsNoObjectIsRefused(String json) {
    assertEquals("", assertThrows(Shape.Misfit.class, () -> read(json)).path);
  }

  @Test
  void aSchemaSaysWhatIsAskedForAndNoMore() {
    var schema =
        """
        {"type": "object", "properties": {
          "times": {"type": "integer", "description": "How often.", "default": 1},
          "loudness": {"enum": ["SOFT", "LOUD"], "default": "SOFT"},
          "place": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": false},
          "key": {"type": "string", "default": "", "writeOnly": true},
          "words": {"type": "array", "items": {"type": "string"}, "default": []},
          "weights": {"type": "object", "additionalProperties": {"type": "number"}, "default": {}}
        }, "additionalProperties": false}
        """;
    assertEquals(JsonParser.parseString(schema), Shape.schema(Sample.class));
  }
}
