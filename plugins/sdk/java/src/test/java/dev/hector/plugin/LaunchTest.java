package dev.hector.plugin;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LaunchTest {
  private static Launch standalone(String address) throws Launch.NotStarted {
    return Launch.told(new String[] {"--standalone", address}, Map.of());
  }

  @ParameterizedTest
  @ValueSource(strings = {"unix:/tmp/a.sock", "127.0.0.1:0", "[::1]:4711", "localhost:65535"})
  void anAddressIsTakenAsItIs(String address) throws Launch.NotStarted {
    assertEquals(address, standalone(address).address());
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "unix:", "nowhere", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536"})
  void whatIsNoAddressIsSaid(String address) {
    var refused = assertThrows(Launch.NotStarted.class, () -> standalone(address));
    assertEquals(Launch.NotStarted.USAGE, refused.code);
    assertTrue(refused.getMessage().startsWith("\"" + address + "\" is no address to listen on; allowed: unix:"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"soon", "-1", "NaN"})
  void whatIsNoTimeToDrainIsSaid(String drain) {
    var environment = Map.of("HECTOR_PLUGIN", "hector_plugin_v1", "HECTOR_DRAIN_S", drain);
    var refused = assertThrows(Launch.NotStarted.class, () -> Launch.told(new String[0], environment));
    assertTrue(refused.getMessage().startsWith("HECTOR_DRAIN_S is \"" + drain + "\""));
  }

  @Test
  void whatAHostSaysIsTaken() throws Launch.NotStarted {
    var environment =
        Map.of(
            "HECTOR_PLUGIN", "hector_plugin_v1",
            "PLUGIN_PROTOCOL_VERSIONS", "1, 2",
            "PLUGIN_UNIX_SOCKET_DIR", "/run/p",
            "HECTOR_PLUGIN_TOKEN", "t",
            "HECTOR_DRAIN_S", "0.5");
    var expected = new Launch(Launch.FOLDER + "/run/p", "t", Duration.ofMillis(500), false, true, "");
    assertEquals(expected, Launch.told(new String[0], environment));
  }
}
