package dev.hector.plugin;

import com.google.protobuf.ByteString;
import dev.hector.plugin.v1.CollectMetricsRequest;
import dev.hector.plugin.v1.CollectMetricsResponse;
import dev.hector.plugin.v1.ConfigureRequest;
import dev.hector.plugin.v1.ConfigureResponse;
import dev.hector.plugin.v1.GetInfoRequest;
import dev.hector.plugin.v1.GetInfoResponse;
import dev.hector.plugin.v1.PluginGrpc.PluginImplBase;
import dev.hector.plugin.v1.ShutdownRequest;
import dev.hector.plugin.v1.ShutdownResponse;
import dev.hector.plugin.v1.ValidateConfigRequest;
import dev.hector.plugin.v1.ValidateConfigResponse;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.function.Supplier;
import java.util.logging.Logger;

/** Serves hector.plugin.v1.Plugin: who the plugin is, its configuration, its metrics and its end. */
final class Identity extends PluginImplBase {
  private static final Logger log = Logger.getLogger(HclogLines.SDK);

  private final GetInfoResponse info;
  private final Settings<?> settings;
  private final Host host;
  private final Supplier<String> metrics;
  private final Ending end;

  Identity(GetInfoResponse info, Settings<?> settings, Host host, Supplier<String> metrics, Ending end) {
    this.info = info;
    this.settings = settings;
    this.host = host;
    this.metrics = metrics;
    this.end = end;
  }

  @Override
  public void getInfo(GetInfoRequest request, StreamObserver<GetInfoResponse> answer) {
    answer.onNext(info);
    answer.onCompleted();
  }

  @Override
  public void validateConfig(ValidateConfigRequest request, StreamObserver<ValidateConfigResponse> answer) {
    var problems = settings.problems(request.getConfigJson());
    answer.onNext(ValidateConfigResponse.newBuilder().addAllDiagnostics(problems).build());
    answer.onCompleted();
  }

  @Override
  public void configure(ConfigureRequest request, StreamObserver<ConfigureResponse> answer) {
    var problems = settings.configure(request.getConfigJson(), Setup.of(request));
    if (problems.stream().noneMatch(Settings::isError)) {
      host.isAt(request.getHostTarget());
      log.fine("configured");
    }
    answer.onNext(ConfigureResponse.newBuilder().addAllDiagnostics(problems).build());
    answer.onCompleted();
  }

  @Override
  public void collectMetrics(CollectMetricsRequest request, StreamObserver<CollectMetricsResponse> answer) {
    if (metrics == null) {
      super.collectMetrics(request, answer);
      return;
    }
    var text = ByteString.copyFromUtf8(metrics.get());
    answer.onNext(CollectMetricsResponse.newBuilder().setPrometheusText(text).build());
    answer.onCompleted();
  }

  @Override
  public void shutdown(ShutdownRequest request, StreamObserver<ShutdownResponse> answer) {
    answer.onNext(ShutdownResponse.getDefaultInstance());
    answer.onCompleted();
    if (request.getGraceS() == 0) {
      end.ask();
    } else {
      end.ask(Duration.ofSeconds(Integer.toUnsignedLong(request.getGraceS())));
    }
  }
}
