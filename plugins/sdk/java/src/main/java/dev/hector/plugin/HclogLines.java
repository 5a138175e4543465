package dev.hector.plugin;

import com.google.gson.JsonObject;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import java.util.Map;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;
import java.util.stream.Stream;

/**
 * Writes java.util.logging's records as hclog JSON, which the host reads from standard error. Facts travel as a map:
 * {@code log.log(Level.INFO, "kept a value", Map.of("key", key))}.
 */
final class HclogLines extends Handler {
  /** The logger of what this library says itself. */
  static final String SDK = "hector_plugin";

  private static final SimpleFormatter FORMATTER = new SimpleFormatter();

  /**
   * Whoever warns of what is as it should be: keep-alive of unix sockets, and messages that are too long. Kept here,
   * because a logger that nobody holds forgets its level.
   */
  private static final List<Logger> TALKATIVE =
      Stream.of("netty.bootstrap", "grpc.netty.NettyServerStream")
          .map(name -> Logger.getLogger("io.grpc.netty.shaded.io." + name))
          .toList();

  private static final Logger LIBRARY = Logger.getLogger("io.grpc");

  private final PrintStream stderr;
  private final String name;

  HclogLines(PrintStream stderr, String name) {
    this.stderr = stderr;
    this.name = name;
  }

  /** Takes over the root logger. */
  static void begin(String name, String level) {
    var root = Logger.getLogger("");
    for (var handler : root.getHandlers()) {
      root.removeHandler(handler);
    }
    root.addHandler(new HclogLines(System.err, name));
    root.setLevel(named(level));
    LIBRARY.setLevel(Level.INFO); // at finer levels it tells of every frame
  }

  /** Keeps libraries from warning of what is as it should be. */
  static void hush() {
    TALKATIVE.forEach(logger -> logger.setLevel(Level.SEVERE));
  }

  @Override
  public void publish(LogRecord record) {
    var line = new JsonObject();
    if (record.getParameters() != null && record.getParameters().length == 1
        && record.getParameters()[0] instanceof Map<?, ?> facts) {
      facts.forEach((name, fact) -> add(line, String.valueOf(name), fact));
    }
    line.addProperty("@level", word(record.getLevel()));
    line.addProperty("@message", FORMATTER.formatMessage(record));
    line.addProperty("@module", name);
    if (!SDK.equals(record.getLoggerName())) {
      line.addProperty("logger", record.getLoggerName());
    }
    line.addProperty("@timestamp", record.getInstant().toString());
    var caller = Caller.current();
    said(line, "request_id", caller.requestId());
    said(line, "traceparent", caller.traceparent());
    if (record.getThrown() != null) {
      var trace = new StringWriter();
      record.getThrown().printStackTrace(new PrintWriter(trace, true));
      line.addProperty("exception", trace.toString());
    }
    stderr.print(line + "\n");
    stderr.flush();
  }

  @Override
  public void flush() {}

  @Override
  public void close() {}

  private static void said(JsonObject line, String name, String text) {
    if (!text.isEmpty()) {
      line.addProperty(name, text);
    }
  }

  private static void add(JsonObject line, String name, Object fact) {
    if (fact instanceof Number number && Double.isFinite(number.doubleValue())) { // JSON has no others
      line.addProperty(name, number);
    } else if (fact instanceof Boolean truth) {
      line.addProperty(name, truth);
    } else {
      line.addProperty(name, String.valueOf(fact));
    }
  }

  private static String word(Level level) {
    int value = level.intValue();
    if (value >= Level.SEVERE.intValue()) {
      return "error";
    }
    if (value >= Level.WARNING.intValue()) {
      return "warn";
    }
    if (value >= Level.INFO.intValue()) {
      return "info";
    }
    return value >= Level.FINE.intValue() ? "debug" : "trace";
  }

  private static Level named(String level) {
    return switch (level) {
      case "trace" -> Level.ALL;
      case "debug" -> Level.FINE;
      case "warn", "warning" -> Level.WARNING;
      case "error" -> Level.SEVERE;
      default -> Level.INFO;
    };
  }
}
