import dev.hector.common.v1.Part;
import dev.hector.guardrail.v1.CheckContentRequest;
import dev.hector.guardrail.v1.CheckContentResponse;
import dev.hector.guardrail.v1.Finding;
import dev.hector.guardrail.v1.GetGuardrailInfoRequest;
import dev.hector.guardrail.v1.GetGuardrailInfoResponse;
import dev.hector.guardrail.v1.GuardrailGrpc.GuardrailImplBase;
import dev.hector.guardrail.v1.Severity;
import dev.hector.guardrail.v1.Stage;
import dev.hector.guardrail.v1.Verdict;
import dev.hector.plugin.Plugin;
import dev.hector.plugin.Refused;
import io.grpc.Status.Code;
import io.grpc.stub.StreamObserver;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/** A guardrail that takes the numbers of payment cards out of texts. */
final class Main extends GuardrailImplBase {
  private static final Pattern CARD = Pattern.compile("\\b(?:\\d[ -]?){12,18}\\d\\b");

  public static void main(String[] arguments) {
    new Plugin("example-guardrail", "1.0.0").serves(new Main()).serve(arguments);
  }

  @Override
  public void getGuardrailInfo(
      GetGuardrailInfoRequest request, StreamObserver<GetGuardrailInfoResponse> answer) {
    answer.onNext(
        GetGuardrailInfoResponse.newBuilder()
            .addStages(Stage.STAGE_USER_INPUT)
            .addStages(Stage.STAGE_MODEL_OUTPUT)
            .addStages(Stage.STAGE_TOOL_RESULT)
            .build());
    answer.onCompleted();
  }

  @Override
  public void checkContent(CheckContentRequest request, StreamObserver<CheckContentResponse> answer) {
    if (request.getStage() == Stage.STAGE_UNSPECIFIED) {
      throw Refused.with(Code.INVALID_ARGUMENT, "NO_STAGE", "say the stage");
    }
    var response = CheckContentResponse.newBuilder().setVerdict(Verdict.VERDICT_ALLOW);
    for (int i = 0; i < request.getPartsCount(); i++) {
      int place = i;
      var text = request.getParts(i).getText();
      CARD.matcher(text).results().forEach(match -> response.addFindings(finding(place, text, match)));
    }
    if (response.getFindingsCount() > 0) {
      response.setVerdict(Verdict.VERDICT_MODIFY);
      request.getPartsList().forEach(part -> response.addParts(withoutCards(part)));
    }
    answer.onNext(response.build());
    answer.onCompleted();
  }

  private static Finding finding(int part, String text, MatchResult match) {
    return Finding.newBuilder()
        .setRule("pii.card")
        .setMessage("the number of a payment card")
        .setSeverity(Severity.SEVERITY_HIGH)
        .setPart(part)
        .setStart(text.codePointCount(0, match.start())) // of Unicode, where Java counts UTF-16
        .setEnd(text.codePointCount(0, match.end()))
        .build();
  }

  private static Part withoutCards(Part part) {
    return part.hasText() ? part.toBuilder().setText(CARD.matcher(part.getText()).replaceAll("[card]")).build() : part;
  }
}
