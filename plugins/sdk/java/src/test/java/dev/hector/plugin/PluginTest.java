package dev.hector.plugin;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hector.llm.v1.LLMProviderGrpc.LLMProviderImplBase;
import dev.hector.llm.v1.ListModelsRequest;
import dev.hector.llm.v1.ListModelsResponse;
import dev.hector.plugin.v1.ConfigureRequest;
import dev.hector.plugin.v1.Diagnostic;
import dev.hector.plugin.v1.GetInfoRequest;
import dev.hector.plugin.v1.Instance;
import dev.hector.plugin.v1.PluginGrpc;
import dev.hector.tool.v1.ExecuteToolRequest;
import dev.hector.tool.v1.ToolProviderGrpc;
import io.grpc.Metadata;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class PluginTest {
  record Nothing() {}

  record Own(@Fallback("") String region) {}

  record Needy(String key) {}

  /** A class of its author's whose name looks like generated code. */
  static final class AcmeGrpc {
    static class Half extends LLMProviderImplBase {
      @Override
      public void listModels(ListModelsRequest request, StreamObserver<ListModelsResponse> answer) {}
    }

    static final class Model extends Half {}
  }

  @Test
  void aPluginNamesTheRpcsThatItHasWritten() throws IOException {
    try (var running = Running.start(new Plugin("sample", "1.0.0").serves(new AcmeGrpc.Model()), "")) {
      var info = PluginGrpc.newBlockingStub(running.channel()).getInfo(GetInfoRequest.getDefaultInstance());
      assertEquals(List.of("ListModels"), info.getComponents(0).getRpcsList());
    }
  }

  @Test
  void aCallKnowsTheEntryThatItIsFor() throws IOException {
    var plugin = new Plugin("sample", "1.0.0");
    var settings = plugin.settings(Nothing.class);
    plugin.tools(new Tools().tool("where", "Says for whom it runs.", Nothing.class, (given, call) -> {
      var own = settings.instance(call.caller(), Own.class);
      return call.component() + " in " + own.region() + call.dataDir().orElseThrow();
    }));
    try (var running = Running.start(plugin, "{}")) {
      var entry =
          Instance.newBuilder().setName("tools.größe").setComponent("this").setConfigJson("{\"region\": \"eu\"}");
      var configure = ConfigureRequest.newBuilder().addInstances(entry).setDataDir("/data").build();
      assertEquals(0, PluginGrpc.newBlockingStub(running.channel()).configure(configure).getDiagnosticsCount());
      var metadata = new Metadata();
      metadata.put(Caller.key("hector-instance"), "tools.gr%C3%B6%C3%9Fe");
      var tools =
          ToolProviderGrpc.newBlockingStub(running.channel())
              .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(metadata));
      var request = ExecuteToolRequest.newBuilder().setTool("where").setParametersJson("{}").build();
      assertEquals("this in eu/data", tools.executeTool(request).getResult());
    }
  }

  @Test
  void aWarningDoesNotStopAPluginAndAnErrorDoes() throws IOException {
    var warning = Diagnostic.newBuilder().setSeverity(Diagnostic.Severity.SEVERITY_WARNING).setSummary("old").build();
    var warned = new Plugin("sample", "1.0.0");
    warned.settings(Needy.class, given -> List.of(warning));
    Running.start(warned, "{\"key\": \"k\"}").close();
    var needy = new Plugin("sample", "1.0.0");
    needy.settings(Needy.class);
    var refused = assertThrows(IllegalArgumentException.class, () -> Running.start(needy, "{}"));
    assertEquals("/key: key is missing", refused.getMessage());
    Running.rehearse(needy);
  }

  @Test
  void toolsHaveNamesOfTheirOwn() {
    var tools = new Tools().tool("a", "One.", Nothing.class, (given, call) -> null);
    assertThrows(IllegalArgumentException.class, () -> tools.tool("a", "Two.", Nothing.class, (given, call) -> null));
  }

  /** A whole plugin, for a process. */
  static final class Program {
    public static void main(String[] arguments) {
      new Plugin("größe", "1.0.0").serve(arguments);
    }
  }

  @Test
  void aPluginWhoseHostIsGoneLeavesNothingAndWritesUnicodeWhateverTheLocale(@TempDir Path folder) throws Exception {
    var classes = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    var java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    var start =
        new ProcessBuilder(java, "-cp", classes, "-XX:TieredStopAtLevel=1", Program.class.getName())
            .redirectError(folder.resolve("log").toFile());
    start.environment().keySet().retainAll(List.of("PATH"));
    start.environment().put("HECTOR_PLUGIN", "hector_plugin_v1");
    start.environment().put("HECTOR_STDIN_WATCH", "1");
    start.environment().put("HECTOR_LOG_LEVEL", "debug");
    start.environment().put("PLUGIN_UNIX_SOCKET_DIR", Files.createDirectory(folder.resolve("s")).toString());
    var process = start.start();
    try {
      process.getOutputStream().close();
      var line = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      assertTrue(line.matches("1\\|1\\|unix\\|" + folder + "/s/p\\w+\\.sock\\|grpc\\|\n"), line);
      assertTrue(process.waitFor(30, TimeUnit.SECONDS));
      assertEquals(0, process.exitValue());
    } finally {
      process.destroyForcibly();
    }
    assertTrue(Files.readString(folder.resolve("log")).contains("\"@module\":\"größe\""));
    try (var left = Files.list(folder.resolve("s"))) {
      assertEquals(0, left.count());
    }
  }
}
