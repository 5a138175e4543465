package dev.hector.plugin;

import com.google.gson.JsonObject;
import dev.hector.plugin.v1.Diagnostic;
import io.grpc.Status.Code;
import java.util.List;
import java.util.function.Function;

/** A plugin's own configuration, as a record of its author. */
public final class Settings<C extends Record> {
  private final Class<C> kind;
  private final Function<C, List<Diagnostic>> check;
  private volatile Current<C> current;

  private record Current<C>(C value, Setup setup) {}

  Settings(Class<C> kind, Function<C, List<Diagnostic>> check) {
    this.kind = kind;
    this.check = check;
    current = new Current<>(withoutConfiguration(), Setup.NONE);
  }

  /** The configuration in force. Before it is known, the record's fallbacks if it has them all. */
  public C get() {
    var value = current.value();
    if (value == null) {
      throw Refused.with(
          Code.FAILED_PRECONDITION, "PLUGIN_NOT_CONFIGURED", "the plugin was not configured yet: call Configure");
    }
    return value;
  }

  /** The own settings of the entry of the configuration that a call is for, such as "tools.shout". */
  public <I extends Record> I instance(Caller caller, Class<I> shape) {
    try {
      return Shape.read(shape, Shape.object(setup().meantBy(caller).getConfigJson()));
    } catch (Shape.Misfit misfit) {
      var sentence = caller.instance() + misfit.path + ": " + misfit.getMessage();
      throw Refused.with(Code.FAILED_PRECONDITION, "PLUGIN_MISCONFIGURED", sentence);
    }
  }

  Setup setup() {
    return current.setup();
  }

  String schemaJson() {
    return Shape.schema(kind).toString();
  }

  /** All problems of a configuration; nothing changes. */
  List<Diagnostic> problems(String json) {
    return take(json, null);
  }

  /** Puts a configuration in force, unless one of its problems is an error. */
  List<Diagnostic> configure(String json, Setup setup) {
    return take(json, setup);
  }

  private List<Diagnostic> take(String json, Setup setup) {
    JsonObject given;
    try {
      given = Shape.object(json);
    } catch (Shape.Misfit misfit) {
      return List.of(error("", "the configuration is no JSON object: " + misfit.getMessage()));
    }
    try {
      var value = Shape.read(kind, given);
      var problems = check.apply(value);
      if (setup != null && problems.stream().noneMatch(Settings::isError)) {
        current = new Current<>(value, setup);
      }
      return problems;
    } catch (Shape.Misfit misfit) {
      return List.of(error(misfit.path, misfit.getMessage()));
    }
  }

  private C withoutConfiguration() {
    try {
      return Shape.read(kind, new JsonObject());
    } catch (Shape.Misfit needsMore) {
      return null;
    }
  }

  static boolean isError(Diagnostic problem) {
    return problem.getSeverity() != Diagnostic.Severity.SEVERITY_WARNING;
  }

  /** A problem that keeps the plugin from being used; {@code path} is a JSON pointer. */
  public static Diagnostic error(String path, String summary) {
    var error = Diagnostic.newBuilder().setSeverity(Diagnostic.Severity.SEVERITY_ERROR);
    return error.setPath(path).setSummary(summary).build();
  }
}
