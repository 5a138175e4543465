import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hector.plugin.Plugin;
import dev.hector.plugin.Running;
import dev.hector.reasoning.v1.InitializeRequest;
import dev.hector.reasoning.v1.ProcessIterationRequest;
import dev.hector.reasoning.v1.ReasoningStrategyGrpc;
import java.io.IOException;
import org.junit.jupiter.api.Test;

/** The strategy, called as a host calls it, without a process. */
class MainTest {
  @Test
  void itAsksTheModelFirst() throws IOException {
    try (var running = Running.start(new Plugin("example-reasoning", "1.0.0").serves(new Main()), "")) {
      var strategy = ReasoningStrategyGrpc.newBlockingStub(running.channel());
      var begun = strategy.initialize(InitializeRequest.newBuilder().setRun("r1").build());
      var turn = ProcessIterationRequest.newBuilder().setState(begun.getState()).setIteration(1).build();
      var decided = strategy.processIteration(turn);
      assertEquals(1, decided.getActionsCount());
      assertTrue(decided.getActions(0).hasAsk());
    }
  }
}
