package dev.hector.plugin;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import dev.hector.plugin.v1.ConfigureRequest;
import dev.hector.plugin.v1.GetStateRequest;
import dev.hector.plugin.v1.GetStateResponse;
import dev.hector.plugin.v1.HostServicesGrpc;
import dev.hector.plugin.v1.PluginGrpc;
import dev.hector.tool.v1.ExecuteToolRequest;
import dev.hector.tool.v1.ListToolsRequest;
import dev.hector.tool.v1.StreamToolRequest;
import dev.hector.tool.v1.ToolProviderGrpc;
import dev.hector.tool.v1.ToolProviderGrpc.ToolProviderBlockingStub;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class RunningTest {
  record Division(long dividend, long divisor) {}

  record Key(String key) {}

  record Nothing() {}

  private final CountDownLatch waiting = new CountDownLatch(1);
  private final CompletableFuture<Boolean> interrupted = new CompletableFuture<>();
  private Running plugin;
  private ToolProviderBlockingStub tools;

  @BeforeEach
  void start() throws IOException {
    plugin = Running.start(new Plugin("sample", "1.0.0").tools(sample()), "{}");
    tools = ToolProviderGrpc.newBlockingStub(plugin.channel());
  }

  @AfterEach
  void stop() {
    plugin.close();
  }

  private Tools sample() {
    return new Tools()
        .tool("divide", "Divides.", Division.class, RunningTest::divide)
        .readOnly()
        .tool("kept", "Reads what the host keeps.", Key.class, RunningTest::kept)
        .tool("wait", "Waits.", Nothing.class, this::wait);
  }

  private static String divide(Division given, Call call) throws ToolFailed {
    call.progress(0.5, 1, "dividing");
    if (given.dividend() == 0) {
      throw new ToolFailed("there is nothing to divide");
    }
    return String.valueOf(given.dividend() / given.divisor());
  }

  private static String kept(Key given, Call call) {
    var request = GetStateRequest.newBuilder().setKey(given.key()).build();
    return call.host().getState(request).getValue().toStringUtf8();
  }

  private String wait(Nothing given, Call call) throws InterruptedException {
    waiting.countDown();
    try {
      new CountDownLatch(1).await();
    } catch (InterruptedException left) {
      interrupted.complete(true);
      throw left;
    }
    return "";
  }

  private static ExecuteToolRequest asked(String tool, String json) {
    return ExecuteToolRequest.newBuilder().setTool(tool).setParametersJson(json).build();
  }

  private Code refusal(String tool, String json) {
    var refused = assertThrows(StatusRuntimeException.class, () -> tools.executeTool(asked(tool, json)));
    return refused.getStatus().getCode();
  }

  @Test
  void aToolAnswersAndItsFailureIsForTheModel() {
    assertEquals("2", tools.executeTool(asked("divide", "{\"dividend\": 6, \"divisor\": 3}")).getResult());
    var failed = tools.executeTool(asked("divide", "{\"dividend\": 0, \"divisor\": 3}"));
    assertEquals("there is nothing to divide", failed.getError());
    assertEquals(false, failed.getSuccess());
  }

  @Test
  void anExceptionIsOneFailedCallStreamedOrNot() {
    assertEquals(Code.INTERNAL, refusal("divide", "{\"dividend\": 6, \"divisor\": 0}"));
    var request =
        StreamToolRequest.newBuilder().setTool("divide").setParametersJson("{\"dividend\": 6, \"divisor\": 0}");
    var events = tools.streamTool(request.build());
    assertTrue(events.next().hasProgress());
    var refused = assertThrows(StatusRuntimeException.class, events::hasNext);
    assertEquals(Code.INTERNAL, refused.getStatus().getCode());
    assertTrue(tools.executeTool(asked("divide", "{\"dividend\": 6, \"divisor\": 3}")).getSuccess());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "[]",
        "{\"dividend\": 6}",
        "{\"dividend\": 6, \"divisor\": true}",
        "{\"dividend\": 6, \"divisor\": 1, \"x\": 1}"
      })
  void argumentsAreCheckedBeforeAToolRuns(String json) {
    assertEquals(Code.INVALID_ARGUMENT, refusal("divide", json));
  }

  @Test
  void aToolThatIsNotThereIsNotFound() {
    assertEquals(Code.NOT_FOUND, refusal("multiply", "{}"));
  }

  @Test
  void whoShowsNoTokenIsRefused() {
    var stranger = ToolProviderGrpc.newBlockingStub(plugin.stranger());
    var refused =
        assertThrows(StatusRuntimeException.class, () -> stranger.listTools(ListToolsRequest.getDefaultInstance()));
    assertEquals(Code.UNAUTHENTICATED, refused.getStatus().getCode());
  }

  @Test
  void toolsAreListedPageByPage() {
    var first = tools.listTools(ListToolsRequest.newBuilder().setPageSize(2).build());
    assertEquals("divide", first.getTools(0).getName());
    assertEquals("kept", first.getNextPageToken());
    var rest = ListToolsRequest.newBuilder().setPageSize(2).setPageToken(first.getNextPageToken());
    assertEquals("wait", tools.listTools(rest.build()).getTools(0).getName());
  }

  @Test
  void aToolIsInterruptedWhenItsCallerLeaves() throws Exception {
    var future = ToolProviderGrpc.newFutureStub(plugin.channel()).executeTool(asked("wait", "{}"));
    assertTrue(waiting.await(30, TimeUnit.SECONDS));
    future.cancel(true);
    assertTrue(interrupted.get(30, TimeUnit.SECONDS));
  }

  @Test
  void theHostHearsForWhomAPluginAsks() throws IOException {
    assertEquals(Code.PERMISSION_DENIED, refusal("kept", "{\"key\": \"a\"}"));
    var told = new AtomicReference<Metadata>();
    var host =
        NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", 0))
            .addService(new Keeper())
            .intercept(new Listener(told))
            .build()
            .start();
    var configure = ConfigureRequest.newBuilder().setHostTarget("127.0.0.1:" + host.getPort()).build();
    assertEquals(0, PluginGrpc.newBlockingStub(plugin.channel()).configure(configure).getDiagnosticsCount());
    var metadata = new Metadata();
    metadata.put(Caller.key("hector-call"), "c-7");
    metadata.put(Caller.key("hector-principal"), "ada");
    var response =
        tools
            .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(metadata))
            .withDeadlineAfter(30, TimeUnit.SECONDS)
            .executeTool(asked("kept", "{\"key\": \"a\"}"));
    host.shutdownNow();
    assertEquals("the value of a", response.getResult());
    assertEquals("c-7", told.get().get(Caller.key("hector-call")));
    assertEquals("ada", told.get().get(Caller.key("hector-principal")));
    assertTrue(told.get().containsKey(Door.TOKEN));
    assertTrue(told.get().containsKey(Caller.key("grpc-timeout")));
  }

  private static final class Keeper extends HostServicesGrpc.HostServicesImplBase {
    @Override
    public void getState(GetStateRequest request, StreamObserver<GetStateResponse> answer) {
      var value = ByteString.copyFromUtf8("the value of " + request.getKey());
      answer.onNext(GetStateResponse.newBuilder().setValue(value).setFound(true).build());
      answer.onCompleted();
    }
  }

  private record Listener(AtomicReference<Metadata> told) implements ServerInterceptor {
    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(
        ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
      told.set(headers);
      return next.startCall(call, headers);
    }
  }
}
