package dev.hector.plugin;

import dev.hector.common.v1.Part;
import dev.hector.plugin.v1.HostServicesGrpc.HostServicesBlockingStub;
import dev.hector.tool.v1.StreamToolResponse;
import dev.hector.tool.v1.ToolContext;
import dev.hector.tool.v1.ToolProgress;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Consumer;

/** One call of a tool. When the caller leaves, the tool's thread is interrupted. */
public final class Call {
  private final String id;
  private final ToolContext context;
  private final Plugin plugin;
  private final Consumer<StreamToolResponse> shown;

  Call(String id, ToolContext context, Plugin plugin, Consumer<StreamToolResponse> shown) {
    this.id = id;
    this.context = context;
    this.plugin = plugin;
    this.shown = shown;
  }

  /** The model's id of the call. */
  public String id() {
    return id;
  }

  /** The session, run and agent that it is for, its effect id and the session's state. */
  public ToolContext context() {
    return context;
  }

  /** Who calls. */
  public Caller caller() {
    return Caller.current();
  }

  /** A client of the host's services. */
  public HostServicesBlockingStub host() {
    return plugin.host().client();
  }

  /** What stands behind the second colon of {@code plugin:NAME:COMPONENT} in the entry that the call is for. */
  public String component() {
    return plugin.component();
  }

  /** A folder that the plugin may write to, and finds again when it is started again. */
  public Optional<Path> dataDir() {
    return plugin.dataDir();
  }

  /** Says how far the tool is, to whoever watches. {@code total} is zero if it is not known. */
  public void progress(double done, double total, String message) {
    var progress = ToolProgress.newBuilder().setProgress(done).setTotal(total).setMessage(message);
    shown.accept(StreamToolResponse.newBuilder().setProgress(progress).build());
  }

  /** Shows a piece of output, to whoever watches; the result has to have it all. */
  public void output(Part part) {
    shown.accept(StreamToolResponse.newBuilder().setOutput(part).build());
  }
}
