package dev.hector.plugin;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** What a host says to a plugin that it starts: hashicorp/go-plugin's handshake, version 1. */
record Launch(
    String address, String token, Duration drain, boolean watchStdin, boolean handshake, String hostTarget) {
  /** Any free unix socket in a folder, whose path follows. */
  static final String FOLDER = "folder:";

  private static final String COOKIE = "HECTOR_PLUGIN";
  private static final String COOKIE_VALUE = "hector_plugin_v1";
  private static final String VERSION = "1";
  private static final int USUAL_DRAIN_S = 5;
  private static final int LONGEST_DRAIN_S = 86_400;

  /** Why a plugin does not start, and the code that it leaves with. */
  static final class NotStarted extends Exception {
    static final int USAGE = 64;
    static final int PROTOCOL_MISMATCH = 78;
    final int code;

    NotStarted(String sentence, int code) {
      super(sentence);
      this.code = code;
    }
  }

  static Launch told(String[] arguments, Map<String, String> environment) throws NotStarted {
    var token = environment.getOrDefault("HECTOR_PLUGIN_TOKEN", "");
    var drain = drain(environment.getOrDefault("HECTOR_DRAIN_S", ""));
    var host = environment.getOrDefault("HECTOR_HOST_TARGET", "");
    if (arguments.length > 0 && arguments[0].equals("--standalone")) {
      if (arguments.length != 2) {
        throw new NotStarted(
            "--standalone needs an address to listen on, as unix:/tmp/plugin.sock or 127.0.0.1:0", NotStarted.USAGE);
      }
      return new Launch(address(arguments[1]), token, drain, false, false, host);
    }
    if (!COOKIE_VALUE.equals(environment.get(COOKIE))) {
      throw new NotStarted(
          "this is a plugin: name it under `plugins:` in hector.yaml, "
              + "or try it by itself with --standalone unix:/tmp/plugin.sock",
          NotStarted.USAGE);
    }
    var offered = environment.getOrDefault("PLUGIN_PROTOCOL_VERSIONS", VERSION);
    List<String> versions = Arrays.stream(offered.split(",")).map(String::strip).toList();
    if (!versions.contains(VERSION)) {
      throw new NotStarted(
          "this plugin speaks version " + VERSION + " of the protocol; the host offers " + offered,
          NotStarted.PROTOCOL_MISMATCH);
    }
    var folder = environment.getOrDefault("PLUGIN_UNIX_SOCKET_DIR", environment.getOrDefault("TMPDIR", ""));
    if (folder.isEmpty()) {
      folder = System.getProperty("java.io.tmpdir");
    }
    return new Launch(
        FOLDER + Path.of(folder), token, drain, "1".equals(environment.get("HECTOR_STDIN_WATCH")), true, host);
  }

  private static Duration drain(String seconds) throws NotStarted {
    try {
      double drain = seconds.isEmpty() ? USUAL_DRAIN_S : Double.parseDouble(seconds);
      if (drain >= 0) {
        return Duration.ofMillis((long) (1000 * Math.min(drain, LONGEST_DRAIN_S)));
      }
    } catch (NumberFormatException none) {
      // as below
    }
    throw new NotStarted(
        "HECTOR_DRAIN_S is \"" + seconds + "\"; it has to be a number of seconds", NotStarted.USAGE);
  }

  private static String address(String told) throws NotStarted {
    if (told.startsWith("unix:") ? told.equals("unix:") : !hasPort(told)) {
      throw new NotStarted(
          "\"" + told + "\" is no address to listen on; allowed: unix:/tmp/plugin.sock, or 127.0.0.1:0",
          NotStarted.USAGE);
    }
    return told;
  }

  private static boolean hasPort(String address) {
    var port = address.substring(address.lastIndexOf(':') + 1);
    return address.contains(":") && port.matches("\\d{1,5}") && Integer.parseInt(port) <= 65_535;
  }
}
