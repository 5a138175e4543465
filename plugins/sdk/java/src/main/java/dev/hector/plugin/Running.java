package dev.hector.plugin;

import dev.hector.plugin.v1.ConfigureRequest;
import dev.hector.plugin.v1.Diagnostic;
import dev.hector.plugin.v1.PluginGrpc;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;

/**
 * Runs a plugin inside its author's unit tests: the same door, the same checks, no process.
 *
 * <pre>{@code
 * try (var plugin = Running.start(MyPlugin.plugin(), "{}")) {
 *   var tools = ToolProviderGrpc.newBlockingStub(plugin.channel());
 *   …
 * }
 * }</pre>
 */
public final class Running implements AutoCloseable {
  private static final int CONFIGURE_S = 60;

  private final String token = UUID.randomUUID().toString();
  private final Ending end = new Ending(Duration.ofSeconds(5));
  private final ManagedChannel channel;
  private final Thread serving;

  private Running(Plugin plugin) throws IOException {
    var served = new Served(plugin, Launch.FOLDER + System.getProperty("java.io.tmpdir"), token, end);
    channel = Channels.to(served.start());
    serving = new Thread(() -> finish(served), "serve-plugin");
    serving.start();
  }

  /** Starts a plugin and configures it; warnings do not stop it. */
  public static Running start(Plugin plugin, String configJson) throws IOException {
    var running = new Running(plugin);
    try {
      var problems = running.configured(configJson).stream().filter(Settings::isError).toList();
      if (!problems.isEmpty()) {
        throw new IllegalArgumentException(problems.get(0).getPath() + ": " + problems.get(0).getSummary());
      }
      return running;
    } catch (RuntimeException failed) {
      running.close();
      throw failed;
    }
  }

  /** Starts a plugin, calls it, and ends it; that it wants to be configured otherwise does not matter. */
  static void rehearse(Plugin plugin) throws IOException {
    try (var running = new Running(plugin)) {
      running.configured("");
    }
  }

  /** A channel that shows the token, for any of the contracts' stubs. */
  public Channel channel() {
    var metadata = new Metadata();
    metadata.put(Door.TOKEN, token);
    return ClientInterceptors.intercept(channel, MetadataUtils.newAttachHeadersInterceptor(metadata));
  }

  /** A channel that shows no token. */
  public Channel stranger() {
    return channel;
  }

  /** Asks for the end and waits for it, as a host does. */
  @Override
  public void close() {
    end.ask();
    try {
      serving.join();
    } catch (InterruptedException stop) {
      Thread.currentThread().interrupt();
    }
    channel.shutdownNow();
  }

  private List<Diagnostic> configured(String json) {
    var stub = PluginGrpc.newBlockingStub(channel()).withDeadlineAfter(CONFIGURE_S, TimeUnit.SECONDS);
    return stub.configure(ConfigureRequest.newBuilder().setConfigJson(json).build()).getDiagnosticsList();
  }

  private static void finish(Served served) {
    try {
      served.finish();
    } catch (InterruptedException stop) {
      Thread.currentThread().interrupt();
    }
  }
}
