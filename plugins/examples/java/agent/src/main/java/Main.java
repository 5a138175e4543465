import com.google.gson.Gson;
import com.google.gson.JsonParseException;
import dev.hector.agent.v1.Agent;
import dev.hector.agent.v1.AgentProviderGrpc.AgentProviderImplBase;
import dev.hector.agent.v1.DescribeAgentsRequest;
import dev.hector.agent.v1.DescribeAgentsResponse;
import dev.hector.agent.v1.RunAgentRequest;
import dev.hector.agent.v1.RunAgentResponse;
import dev.hector.common.v1.Part;
import dev.hector.plugin.Plugin;
import dev.hector.plugin.Refused;
import io.grpc.Status.Code;
import io.grpc.stub.StreamObserver;
import java.util.stream.Collectors;

/** An agent that greets who talks to it, and knows how often they have met. */
final class Main extends AgentProviderImplBase {
  private static final String NAME = "greeter";
  private static final Gson JSON = new Gson();

  /** What the session keeps. */
  record Memory(int met) {}

  public static void main(String[] arguments) {
    new Plugin("example-agent", "1.0.0").serves(new Main()).serve(arguments);
  }

  @Override
  public void describeAgents(DescribeAgentsRequest request, StreamObserver<DescribeAgentsResponse> answer) {
    var greeter = Agent.newBuilder().setName(NAME).setDescription("Greets, and counts.").setStreaming(true);
    answer.onNext(DescribeAgentsResponse.newBuilder().addAgents(greeter).build());
    answer.onCompleted();
  }

  @Override
  public void runAgent(RunAgentRequest request, StreamObserver<RunAgentResponse> answer) {
    if (!request.getAgent().equals(NAME)) {
      var sentence = "there is no agent \"" + request.getAgent() + "\" here; there is " + NAME;
      throw Refused.with(Code.NOT_FOUND, "AGENT_NOT_FOUND", sentence);
    }
    int met = memory(request.getStateJson()).met() + 1;
    var said = request.getMessage().getPartsList().stream().map(Part::getText).collect(Collectors.joining());
    if (said.isBlank()) {
      answer.onNext(RunAgentResponse.newBuilder().setRequireInput("What shall I call you?").build());
    } else {
      answer.onNext(RunAgentResponse.newBuilder().setText("Hello! You said: " + said + "\n").build());
      answer.onNext(RunAgentResponse.newBuilder().setText("Times that we have met: " + met + ".").build());
      answer.onNext(RunAgentResponse.newBuilder().setStateDeltaJson(JSON.toJson(new Memory(met))).build());
    }
    answer.onCompleted();
  }

  private static Memory memory(String stateJson) {
    try {
      var kept = JSON.fromJson(stateJson, Memory.class);
      return kept == null ? new Memory(0) : kept;
    } catch (JsonParseException unreadable) {
      var sentence = "the session's state is not what was saved";
      throw Refused.with(Code.INVALID_ARGUMENT, "STATE_UNREADABLE", sentence);
    }
  }
}
