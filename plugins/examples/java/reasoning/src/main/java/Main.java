import com.google.gson.Gson;
import com.google.gson.JsonParseException;
import com.google.protobuf.ByteString;
import dev.hector.common.v1.Part;
import dev.hector.common.v1.ToolCall;
import dev.hector.plugin.Plugin;
import dev.hector.plugin.Refused;
import dev.hector.reasoning.v1.Action;
import dev.hector.reasoning.v1.Ask;
import dev.hector.reasoning.v1.FinalizeRequest;
import dev.hector.reasoning.v1.FinalizeResponse;
import dev.hector.reasoning.v1.InitializeRequest;
import dev.hector.reasoning.v1.InitializeResponse;
import dev.hector.reasoning.v1.Observation;
import dev.hector.reasoning.v1.ProcessIterationRequest;
import dev.hector.reasoning.v1.ProcessIterationResponse;
import dev.hector.reasoning.v1.ReasoningStrategyGrpc.ReasoningStrategyImplBase;
import dev.hector.reasoning.v1.State;
import io.grpc.Status.Code;
import io.grpc.stub.StreamObserver;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** A reasoning strategy that asks the model once, has its tools called, and finishes. */
final class Main extends ReasoningStrategyImplBase {
  private static final int VERSION = 1;
  private static final Gson JSON = new Gson();

  record Memory(Integer step) {}

  public static void main(String[] arguments) {
    new Plugin("example-reasoning", "1.0.0").serves(new Main()).serve(arguments);
  }

  @Override
  public void initialize(InitializeRequest request, StreamObserver<InitializeResponse> answer) {
    answer.onNext(InitializeResponse.newBuilder().setSuccess(true).setState(state(0)).build());
    answer.onCompleted();
  }

  @Override
  public void processIteration(
      ProcessIterationRequest request, StreamObserver<ProcessIterationResponse> answer) {
    var decision = ProcessIterationResponse.newBuilder().setSuccess(true).setState(request.getState());
    switch (step(request.getState())) {
      case 0 -> {
        decision.addActions(Action.newBuilder().setId("ask-1").setAsk(Ask.getDefaultInstance()));
        decision.setState(state(1));
      }
      case 1 -> {
        for (var call : calls(request.getObservationsList())) {
          var id = "tool-" + (decision.getActionsCount() + 1);
          decision.addActions(Action.newBuilder().setId(id).setToolCall(call)).setState(state(2));
        }
      }
      default -> {
        var results = request.getObservationsList().stream().flatMap(Main::results);
        decision.setResult(results.collect(Collectors.joining("\n")));
      }
    }
    boolean over = decision.getActionsCount() == 0;
    answer.onNext(decision.setDone(over).setFinalized(over).build());
    answer.onCompleted();
  }

  @Override
  public void finalize(FinalizeRequest request, StreamObserver<FinalizeResponse> answer) {
    step(request.getState());
    var result = request.getTruncated() ? "The limit was reached before the answer was complete." : "";
    answer.onNext(FinalizeResponse.newBuilder().setSuccess(true).setResult(result).build());
    answer.onCompleted();
  }

  /** The calls that the model asks for; what kept it from answering ends the run. */
  private static List<ToolCall> calls(List<Observation> observations) {
    for (var observation : observations) {
      if (observation.hasError()) {
        throw Refused.with(Code.ABORTED, "ASK_FAILED", observation.getError());
      }
    }
    return observations.stream()
        .flatMap(observation -> observation.getMessage().getPartsList().stream())
        .filter(Part::hasToolCall)
        .map(Part::getToolCall)
        .toList();
  }

  private static Stream<String> results(Observation observation) {
    return observation.hasError()
        ? Stream.of(observation.getError())
        : observation.getToolResult().getPartsList().stream().filter(Part::hasText).map(Part::getText);
  }

  private static State state(int step) {
    var data = ByteString.copyFromUtf8(JSON.toJson(new Memory(step)));
    return State.newBuilder().setData(data).setContentType("application/json").setVersion(VERSION).build();
  }

  private static int step(State state) {
    try {
      var memory = JSON.fromJson(state.getData().toStringUtf8(), Memory.class);
      if (state.getVersion() == VERSION && memory != null && memory.step() != null && memory.step() >= 0
          && memory.step() <= 2) {
        return memory.step();
      }
    } catch (JsonParseException unreadable) {
      // as below
    }
    throw Refused.with(
        Code.FAILED_PRECONDITION,
        "STATE_UNREADABLE",
        "the state is of another strategy or version: initialise again");
  }
}
