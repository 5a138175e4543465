import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.hector.llm.v1.GenerateTextRequest;
import dev.hector.llm.v1.LLMProviderGrpc;
import dev.hector.plugin.Plugin;
import dev.hector.plugin.Running;
import java.io.IOException;
import org.junit.jupiter.api.Test;

/** The model, called as a host calls it, without a process. */
class MainTest {
  @Test
  void itSaysWhatWasSaid() throws IOException {
    var request = GenerateTextRequest.newBuilder().setPrompt("two words").build();
    try (var running = Running.start(new Plugin("example-llm", "1.0.0").serves(new Main()), "")) {
      var answer = LLMProviderGrpc.newBlockingStub(running.channel()).generateText(request);
      assertEquals("two words", answer.getText());
      assertEquals(2, answer.getUsage().getCompletionTokens());
    }
  }
}
