package dev.hector.plugin;

import com.google.gson.JsonObject;
import dev.hector.common.v1.Tool;
import dev.hector.tool.v1.ExecuteToolRequest;
import dev.hector.tool.v1.ExecuteToolResponse;
import dev.hector.tool.v1.GetToolSchemaRequest;
import dev.hector.tool.v1.GetToolSchemaResponse;
import dev.hector.tool.v1.ListToolsRequest;
import dev.hector.tool.v1.ListToolsResponse;
import dev.hector.tool.v1.StreamToolRequest;
import dev.hector.tool.v1.StreamToolResponse;
import dev.hector.tool.v1.ToolContext;
import dev.hector.tool.v1.ToolProviderGrpc.ToolProviderImplBase;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.util.function.Consumer;

/** Tools as the contract has them. */
final class ToolService extends ToolProviderImplBase {
  private final Tools tools;
  private final String revision;
  private final Plugin plugin;

  ToolService(Tools tools, String revision, Plugin plugin) {
    this.tools = tools;
    this.revision = revision;
    this.plugin = plugin;
  }

  @Override
  public void listTools(ListToolsRequest request, StreamObserver<ListToolsResponse> answer) {
    var rest = tools.known.tailMap(request.getPageToken(), false).values().iterator();
    var page = ListToolsResponse.newBuilder().setRevision(revision);
    Tool last = Tool.getDefaultInstance();
    while (rest.hasNext() && (request.getPageSize() <= 0 || page.getToolsCount() < request.getPageSize())) {
      last = rest.next().tool.build();
      page.addTools(last);
    }
    answer.onNext(page.setNextPageToken(rest.hasNext() ? last.getName() : "").build());
    answer.onCompleted();
  }

  @Override
  public void getToolSchema(GetToolSchemaRequest request, StreamObserver<GetToolSchemaResponse> answer) {
    answer.onNext(GetToolSchemaResponse.newBuilder().setTool(known(request.getTool()).tool).build());
    answer.onCompleted();
  }

  @Override
  public void executeTool(ExecuteToolRequest request, StreamObserver<ExecuteToolResponse> answer) {
    answer.onNext(
        result(
            request.getTool(),
            request.getParametersJson(),
            request.getDryRun(),
            request.getCallId(),
            request.getContext(),
            unseen -> {}));
    answer.onCompleted();
  }

  @Override
  public void streamTool(StreamToolRequest request, StreamObserver<StreamToolResponse> answer) {
    var result =
        result(
            request.getTool(),
            request.getParametersJson(),
            request.getDryRun(),
            request.getCallId(),
            request.getContext(),
            answer::onNext);
    answer.onNext(StreamToolResponse.newBuilder().setResult(result).build());
    answer.onCompleted();
  }

  private Tools.Known<?> known(String name) {
    var known = tools.known.get(name);
    if (known == null) {
      var names = String.join(", ", tools.known.keySet());
      var sentence = "there is no tool \"" + name + "\" here; there is " + names;
      throw Refused.with(Code.NOT_FOUND, "TOOL_NOT_FOUND", sentence);
    }
    return known;
  }

  private ExecuteToolResponse result(
      String name, String json, boolean dryRun, String id, ToolContext context, Consumer<StreamToolResponse> shown) {
    return result(known(name), name, json, dryRun, new Call(id, context, plugin, shown));
  }

  private <A extends Record> ExecuteToolResponse result(
      Tools.Known<A> known, String name, String json, boolean dryRun, Call call) {
    A arguments;
    try {
      JsonObject given = Shape.object(json);
      arguments = Shape.read(known.shape, given);
    } catch (Shape.Misfit misfit) {
      var place = misfit.path.isEmpty() ? ": " : misfit.path + ": ";
      throw Refused.with(Code.INVALID_ARGUMENT, "TOOL_ARGUMENTS_INVALID", name + place + misfit.getMessage());
    }
    if (dryRun) {
      return ExecuteToolResponse.newBuilder().setSuccess(true).setResult("would run " + name).build();
    }
    try {
      return known.response(arguments, call);
    } catch (ToolFailed failed) {
      return ExecuteToolResponse.newBuilder().setError(failed.getMessage()).build();
    } catch (StatusRuntimeException refused) {
      throw refused;
    } catch (InterruptedException left) {
      throw io.grpc.Status.CANCELLED.withDescription("the caller has left").asRuntimeException();
    } catch (Exception unforeseen) {
      throw new Unforeseen(unforeseen);
    }
  }

  /** What an author's code threw without saying what it means. */
  static final class Unforeseen extends RuntimeException {
    Unforeseen(Exception cause) {
      super(cause);
    }
  }
}
