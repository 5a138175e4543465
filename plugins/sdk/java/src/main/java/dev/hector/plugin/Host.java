package dev.hector.plugin;

import dev.hector.plugin.v1.HostServicesGrpc;
import io.grpc.ManagedChannel;
import io.grpc.Status.Code;
import io.grpc.stub.MetadataUtils;

/** What a plugin may ask of its host: models, tools, embedders, state and log, as far as they are granted. */
public final class Host {
  private String target = "";
  private String token = "";
  private ManagedChannel channel;

  /** Whether the configuration grants anything. */
  public synchronized boolean isGranted() {
    return !target.isEmpty();
  }

  /** A client that calls for the caller of the call that this thread serves, and no longer than that one waits. */
  public synchronized HostServicesGrpc.HostServicesBlockingStub client() {
    if (target.isEmpty()) {
      throw Refused.with(
          Code.PERMISSION_DENIED,
          "PLUGIN_NOT_GRANTED",
          "the host grants this plugin nothing: say it under `grants:` beside the plugin in hector.yaml");
    }
    if (channel == null) {
      channel = Channels.to(target);
    }
    var metadata = Caller.current().handedOn();
    if (!token.isEmpty()) {
      metadata.put(Door.TOKEN, token);
    }
    // The deadline and the cancellation of the call that is served are gRPC's context, which a stub follows by itself.
    return HostServicesGrpc.newBlockingStub(channel)
        .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(metadata));
  }

  /** Goes by what the host said last; nothing said is nothing granted. */
  synchronized void isAt(String where) {
    if (where.equals(target)) {
      return;
    }
    target = where;
    if (channel != null) {
      channel.shutdown();
      channel = null;
    }
  }

  synchronized void knowsUsBy(String secret) {
    token = secret;
  }
}
