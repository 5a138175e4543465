package dev.hector.plugin;

import com.google.gson.JsonElement;
import dev.hector.common.v1.Tool;
import dev.hector.common.v1.ToolAnnotations;
import dev.hector.tool.v1.ExecuteToolResponse;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.function.Consumer;

/** Tools as functions: their schema comes from a record, their arguments. */
public final class Tools {
  final NavigableMap<String, Known<?>> known = new TreeMap<>();
  private Known<?> newest;

  /** What a tool does: gives back a text, any JSON, the whole response, or null for nothing. */
  @FunctionalInterface
  public interface Run<A> {
    Object of(A arguments, Call call) throws Exception;
  }

  /** A tool, and what it does. */
  static final class Known<A extends Record> {
    final Tool.Builder tool = Tool.newBuilder();
    final Class<A> shape;
    final Run<A> run;

    Known(Class<A> shape, Run<A> run) {
      this.shape = shape;
      this.run = run;
    }

    ExecuteToolResponse response(A arguments, Call call) throws Exception {
      var outcome = run.of(arguments, call);
      if (outcome instanceof ExecuteToolResponse whole) {
        return whole;
      }
      var text = outcome == null ? "" : outcome.toString();
      var response = ExecuteToolResponse.newBuilder().setSuccess(true).setResult(text);
      return outcome instanceof JsonElement json
          ? response.setStructuredJson(json.toString()).build()
          : response.build();
    }
  }

  /** Adds a tool; its arguments are checked before {@code run} sees them. */
  public <A extends Record> Tools tool(String name, String about, Class<A> arguments, Run<A> run) {
    var added = new Known<>(arguments, run);
    added.tool.setName(name).setDescription(about).setParametersJson(Shape.schema(arguments).toString());
    if (known.putIfAbsent(name, added) != null) {
      throw new IllegalArgumentException("there are two tools \"" + name + "\"");
    }
    newest = added;
    return this;
  }

  /** Changes what is listed of the newest tool. */
  public Tools also(Consumer<Tool.Builder> change) {
    change.accept(newest.tool);
    return this;
  }

  /** The newest tool changes nothing. */
  public Tools readOnly() {
    return annotated(hints -> hints.setReadOnly(true));
  }

  /** Calling the newest tool twice does the same as calling it once. */
  public Tools idempotent() {
    return annotated(hints -> hints.setIdempotent(true));
  }

  /** The newest tool may destroy something. */
  public Tools destructive() {
    return annotated(hints -> hints.setDestructive(true));
  }

  /** The newest tool reaches into the world outside the host. */
  public Tools openWorld() {
    return annotated(hints -> hints.setOpenWorld(true));
  }

  /** A person must allow each call of the newest tool. */
  public Tools requiresApproval() {
    return annotated(hints -> hints.setRequiresApproval(true));
  }

  private Tools annotated(Consumer<ToolAnnotations.Builder> change) {
    return also(tool -> change.accept(tool.getAnnotationsBuilder()));
  }
}
