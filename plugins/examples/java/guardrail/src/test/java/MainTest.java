import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.hector.common.v1.Part;
import dev.hector.guardrail.v1.CheckContentRequest;
import dev.hector.guardrail.v1.GuardrailGrpc;
import dev.hector.guardrail.v1.Stage;
import dev.hector.plugin.Plugin;
import dev.hector.plugin.Running;
import java.io.IOException;
import org.junit.jupiter.api.Test;

/** The guardrail, called as a host calls it, without a process. */
class MainTest {
  @Test
  void theNumberOfACardIsTakenOut() throws IOException {
    var said = Part.newBuilder().setText("🚀 it is 4111 1111 1111 1111.");
    var content = CheckContentRequest.newBuilder().setStage(Stage.STAGE_USER_INPUT).addParts(said);
    try (var running = Running.start(new Plugin("example-guardrail", "1.0.0").serves(new Main()), "")) {
      var answer = GuardrailGrpc.newBlockingStub(running.channel()).checkContent(content.build());
      assertEquals("🚀 it is [card].", answer.getParts(0).getText());
      assertEquals(8, answer.getFindings(0).getStart());
    }
  }
}
