import dev.hector.common.v1.Message;
import dev.hector.common.v1.Part;
import dev.hector.common.v1.Role;
import dev.hector.common.v1.TokenUsage;
import dev.hector.llm.v1.FinishReason;
import dev.hector.llm.v1.GenerateTextRequest;
import dev.hector.llm.v1.GenerateTextResponse;
import dev.hector.llm.v1.LLMProviderGrpc.LLMProviderImplBase;
import dev.hector.llm.v1.ListModelsRequest;
import dev.hector.llm.v1.ListModelsResponse;
import dev.hector.llm.v1.Model;
import dev.hector.llm.v1.StreamTextRequest;
import dev.hector.llm.v1.StreamTextResponse;
import dev.hector.plugin.Plugin;
import dev.hector.plugin.Refused;
import io.grpc.Status.Code;
import io.grpc.stub.StreamObserver;
import java.util.List;
import java.util.StringTokenizer;
import java.util.stream.Collectors;

/** A language model that says what it is told, word by word. */
final class Main extends LLMProviderImplBase {
  public static void main(String[] arguments) {
    new Plugin("example-llm", "1.0.0").serves(new Main()).serve(arguments);
  }

  @Override
  public void listModels(ListModelsRequest request, StreamObserver<ListModelsResponse> answer) {
    var echo = Model.newBuilder().setName("echo").setDisplayName("Echo").setSupportsStreaming(true);
    answer.onNext(ListModelsResponse.newBuilder().addModels(echo).build());
    answer.onCompleted();
  }

  @Override
  public void generateText(GenerateTextRequest request, StreamObserver<GenerateTextResponse> answer) {
    var echo = Echo.of(request.getModel(), request.getPrompt(), request.getMessagesList());
    var part = Part.newBuilder().setText(echo.text());
    answer.onNext(
        GenerateTextResponse.newBuilder()
            .setText(echo.text())
            .setMessage(Message.newBuilder().setRole(Role.ROLE_ASSISTANT).addParts(part))
            .setUsage(echo.usage())
            .setFinishReason(FinishReason.FINISH_REASON_STOP)
            .setModel("echo")
            .build());
    answer.onCompleted();
  }

  @Override
  public void streamText(StreamTextRequest request, StreamObserver<StreamTextResponse> answer) {
    var echo = Echo.of(request.getModel(), request.getPrompt(), request.getMessagesList());
    for (var piece : echo.text().split("(?<= )")) { // behind each space
      if (!piece.isEmpty()) {
        answer.onNext(StreamTextResponse.newBuilder().setText(piece).build());
      }
    }
    answer.onNext(
        StreamTextResponse.newBuilder()
            .setDone(true)
            .setUsage(echo.usage())
            .setFinishReason(FinishReason.FINISH_REASON_STOP)
            .setModel("echo")
            .build());
    answer.onCompleted();
  }

  record Said(Role role, String text) {}

  record Echo(String text, TokenUsage usage) {
    static Echo of(String model, String prompt, List<Message> messages) {
      if (!model.isEmpty() && !model.equals("echo")) {
        var sentence = "there is no model \"" + model + "\" here; there is echo";
        throw Refused.with(Code.NOT_FOUND, "MODEL_NOT_FOUND", sentence);
      }
      var said = messages.stream().map(message -> new Said(message.getRole(), textOf(message))).toList();
      if (messages.isEmpty() && !prompt.isEmpty()) {
        said = List.of(new Said(Role.ROLE_USER, prompt));
      }
      var last = said.stream().filter(one -> one.role() == Role.ROLE_USER).reduce((one, later) -> later);
      var text = last.orElseThrow(Echo::nothing).text();
      long prompted = said.stream().mapToLong(one -> words(one.text())).sum();
      var usage = TokenUsage.newBuilder().setPromptTokens(prompted).setCompletionTokens(words(text));
      return new Echo(text, usage.setTotalTokens(prompted + words(text)).build());
    }

    private static RuntimeException nothing() {
      var sentence = "nobody said anything: send a prompt, or a message of the role user";
      return Refused.with(Code.INVALID_ARGUMENT, "NOTHING_TO_ECHO", sentence);
    }

    private static String textOf(Message message) {
      return message.getPartsList().stream().map(Part::getText).collect(Collectors.joining());
    }

    private static long words(String text) {
      return new StringTokenizer(text).countTokens();
    }
  }
}
