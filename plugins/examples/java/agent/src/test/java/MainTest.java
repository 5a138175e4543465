import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.hector.agent.v1.AgentProviderGrpc;
import dev.hector.agent.v1.RunAgentRequest;
import dev.hector.common.v1.Message;
import dev.hector.common.v1.Part;
import dev.hector.common.v1.Role;
import dev.hector.plugin.Plugin;
import dev.hector.plugin.Running;
import java.io.IOException;
import org.junit.jupiter.api.Test;

/** The agent, called as a host calls it, without a process. */
class MainTest {
  @Test
  void itCountsHowOftenItMetSomebody() throws IOException {
    var hi = Message.newBuilder().setRole(Role.ROLE_USER).addParts(Part.newBuilder().setText("hi"));
    var run = RunAgentRequest.newBuilder().setAgent("greeter").setMessage(hi).setStateJson("{\"met\": 1}");
    try (var running = Running.start(new Plugin("example-agent", "1.0.0").serves(new Main()), "")) {
      var text = new StringBuilder();
      var state = new StringBuilder();
      AgentProviderGrpc.newBlockingStub(running.channel())
          .runAgent(run.build())
          .forEachRemaining(event -> {
            text.append(event.getText());
            state.append(event.getStateDeltaJson());
          });
      assertEquals("Hello! You said: hi\nTimes that we have met: 2.", text.toString());
      assertEquals("{\"met\":2}", state.toString());
    }
  }
}
