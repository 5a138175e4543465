package dev.hector.plugin;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.grpc.Context;
import io.grpc.Metadata;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import org.junit.jupiter.api.Test;

class HclogLinesTest {
  private final ByteArrayOutputStream written = new ByteArrayOutputStream();
  private final HclogLines lines = new HclogLines(new PrintStream(written, true, StandardCharsets.UTF_8), "sample");

  private JsonObject line(Level level, String message, Map<String, ?> facts) {
    var told = new LogRecord(level, message);
    told.setParameters(new Object[] {facts});
    lines.publish(told);
    var text = written.toString(StandardCharsets.UTF_8);
    assertTrue(text.indexOf('\n') == text.length() - 1, text);
    return JsonParser.parseString(text).getAsJsonObject();
  }

  @Test
  void aRecordIsOneLineWithItsFacts() {
    var line = line(Level.WARNING, "two\nlines", Map.of("count", 3, "ratio", Double.NaN, "good", true, "who", "Zoë"));
    assertEquals("warn", line.get("@level").getAsString());
    assertEquals("two\nlines", line.get("@message").getAsString());
    assertEquals("sample", line.get("@module").getAsString());
    assertEquals(3, line.get("count").getAsInt());
    assertEquals("\"NaN\"", line.get("ratio").toString());
    assertEquals(true, line.get("good").getAsBoolean());
    assertEquals("Zoë", line.get("who").getAsString());
  }

  @Test
  void whatIsLoggedDuringACallNamesTheRequest() {
    var metadata = new Metadata();
    metadata.put(Caller.key("hector-request-id"), "r-7");
    metadata.put(Caller.key("traceparent"), "00-1-2-01");
    Context.current().withValue(Caller.CURRENT, new Caller(metadata)).run(() -> {
      var line = line(Level.INFO, "kept", Map.of());
      assertEquals("r-7", line.get("request_id").getAsString());
      assertEquals("00-1-2-01", line.get("traceparent").getAsString());
    });
  }
}
