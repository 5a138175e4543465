package dev.hector.plugin;

import io.grpc.Server;
import io.grpc.protobuf.services.HealthStatusManager;
import java.io.IOException;
import java.net.SocketAddress;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.logging.Logger;

import static io.grpc.health.v1.HealthCheckResponse.ServingStatus.SERVING;

/** A plugin on a socket, from its start to its end. */
final class Served {
  private static final String GO_PLUGIN = "plugin";
  private static final Logger log = Logger.getLogger(HclogLines.SDK);

  private final Listening listening;
  private final Door door;
  private final Ending end;
  private final HealthStatusManager health = new HealthStatusManager();
  /** Never shut down: gRPC has things to run in it to the very end, and its threads keep no process alive. */
  private final Executor calls = Executors.newCachedThreadPool(Served::thread);
  private final Server server;

  Served(Plugin plugin, String address, String token, Ending end) {
    HclogLines.hush();
    this.end = end;
    listening = Listening.on(address);
    door = new Door(token, end);
    plugin.host().knowsUsBy(token);
    var builder =
        listening
            .server()
            .executor(calls)
            .maxInboundMessageSize(Plugin.MESSAGE_BYTES)
            .intercept(door)
            .addService(health.getHealthService())
            .addService(GoPluginController.ending(end));
    for (var service : plugin.complete(end)) {
      builder.addService(service);
      health.setStatus(service.getServiceDescriptor().getName(), SERVING);
    }
    health.setStatus(GO_PLUGIN, SERVING);
    server = builder.build();
  }

  /** Listens; gives back the address as gRPC's clients take it. */
  String start() throws IOException {
    server.start();
    return listening.target(bound());
  }

  /** What the host waits for on standard output. */
  String line() {
    return listening.line(bound());
  }

  /** Serves until somebody asks for the end, and then as long as calls in flight take and may. */
  void finish() throws InterruptedException {
    var grace = end.await();
    health.enterTerminalState();
    if (!door.awaitQuiet(grace.toMillis())) {
      log.warning("left calls unfinished");
    }
    server.shutdown();
    // What is open now is watchers of health, and calls that are out of time.
    if (!server.awaitTermination(50, TimeUnit.MILLISECONDS)) {
      server.shutdownNow();
      server.awaitTermination(1, TimeUnit.SECONDS);
    }
    listening.leave();
  }

  private SocketAddress bound() {
    return server.getListenSockets().get(0);
  }

  private static Thread thread(Runnable work) {
    var thread = new Thread(work, "hector-call");
    thread.setDaemon(true);
    return thread;
  }
}
