package dev.hector.plugin;

import io.grpc.Context;
import io.grpc.Metadata;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** Who makes a call, for what entry of the configuration, and until when, as the call's metadata says it. */
public final class Caller {
  static final Context.Key<Caller> CURRENT = Context.key("hector-caller");

  /** What travels from the call that a plugin serves to the calls that it makes for it. */
  private static final List<Metadata.Key<String>> HANDED_ON =
      List.of(
          key("hector-call"),
          key("hector-principal"),
          key("hector-roles"),
          key("hector-app"),
          key("hector-request-id"),
          key("hector-instance"),
          key("traceparent"),
          key("tracestate"));

  private final Metadata metadata = new Metadata();

  Caller(Metadata told) {
    for (var key : HANDED_ON) {
      if (told.containsKey(key)) {
        metadata.put(key, told.get(key));
      }
    }
  }

  /** Who made the call that this thread serves. */
  public static Caller current() {
    var caller = CURRENT.get();
    return caller == null ? new Caller(new Metadata()) : caller;
  }

  /** The entry of the configuration that is meant, for example "tools.search"; empty if none is. */
  public String instance() {
    return said("hector-instance");
  }

  /** For whom the call is made; empty if the host does not say. */
  public String principal() {
    return said("hector-principal");
  }

  /** The id of the user's request, as it stands in the host's log. */
  public String requestId() {
    return said("hector-request-id");
  }

  /** How long the caller still waits; empty if it waits for ever. */
  public Optional<Duration> timeLeft() {
    var deadline = Context.current().getDeadline();
    return Optional.ofNullable(deadline).map(left -> Duration.ofNanos(left.timeRemaining(TimeUnit.NANOSECONDS)));
  }

  /** The trace that the call is part of, as W3C writes it; empty if there is none. */
  String traceparent() {
    return said("traceparent");
  }

  Metadata handedOn() {
    var copy = new Metadata();
    copy.merge(metadata);
    return copy;
  }

  static Metadata.Key<String> key(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }

  private String said(String name) {
    var said = metadata.get(key(name));
    return said == null ? "" : decoded(said);
  }

  /** Hosts percent-encode what metadata cannot carry. */
  private static String decoded(String said) {
    if (said.indexOf('%') < 0) {
      return said;
    }
    try {
      return URLDecoder.decode(said.replace("+", "%2B"), StandardCharsets.UTF_8);
    } catch (IllegalArgumentException notEncoded) {
      return said;
    }
  }
}
