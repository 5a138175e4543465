import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.hector.plugin.Running;
import dev.hector.tool.v1.ExecuteToolRequest;
import dev.hector.tool.v1.ToolProviderGrpc;
import java.io.IOException;
import org.junit.jupiter.api.Test;

/** The tools, called as a host calls them, without a process. */
class MainTest {
  @Test
  void upperPutsTheSuffixBehindTheText() throws IOException {
    try (var running = Running.start(Main.plugin(), "{\"suffix\": \"!\"}")) {
      var call = ExecuteToolRequest.newBuilder().setTool("upper").setParametersJson("{\"text\": \"straße\"}");
      var tools = ToolProviderGrpc.newBlockingStub(running.channel());
      assertEquals("STRASSE!", tools.executeTool(call.build()).getResult());
    }
  }
}
