package dev.hector.plugin;

import dev.hector.plugin.v1.Component;
import dev.hector.plugin.v1.Diagnostic;
import dev.hector.plugin.v1.GetInfoResponse;
import dev.hector.plugin.v1.PluginKind;
import io.grpc.BindableService;
import io.grpc.ServerServiceDefinition;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * What a plugin is made of, and how it is served.
 *
 * <p>A plugin is a process that serves one or more of Hector's contracts over gRPC. This does what is the same for all of
 * them: it reads how it was started, writes the handshake line, checks the host's token, serves health and
 * hector.plugin.v1.Plugin, logs, and ends without failing a call.
 */
public final class Plugin {
  /** The largest message that is taken. */
  static final int MESSAGE_BYTES = 64 << 20;

  private static final Map<String, PluginKind> KINDS =
      Map.of(
          "hector.agent.v1.AgentProvider", PluginKind.PLUGIN_KIND_AGENT,
          "hector.document.v1.DocumentParser", PluginKind.PLUGIN_KIND_DOCUMENT_PARSER,
          "hector.embedder.v1.EmbedderProvider", PluginKind.PLUGIN_KIND_EMBEDDER_PROVIDER,
          "hector.guardrail.v1.Guardrail", PluginKind.PLUGIN_KIND_GUARDRAIL,
          "hector.llm.v1.LLMProvider", PluginKind.PLUGIN_KIND_LLM_PROVIDER,
          "hector.reasoning.v1.ReasoningStrategy", PluginKind.PLUGIN_KIND_REASONING_STRATEGY,
          "hector.tool.v1.ToolProvider", PluginKind.PLUGIN_KIND_TOOL_PROVIDER,
          "hector.vector.v1.DatabaseProvider", PluginKind.PLUGIN_KIND_DATABASE_PROVIDER);

  private final GetInfoResponse.Builder info = GetInfoResponse.newBuilder();
  private final List<BindableService> services = new ArrayList<>();
  private final Host host = new Host();
  private Settings<?> settings = new Settings<>(NothingToConfigure.class, nothing -> List.of());
  private Supplier<String> metrics;

  private record NothingToConfigure() {}

  /** Begins a plugin with nothing to configure and nothing to serve. The version is one of semver.org. */
  public Plugin(String name, String version) {
    info.setName(name).setVersion(version).setReconfigurable(true).setMaxMessageBytes(MESSAGE_BYTES);
  }

  /** Says what the configuration under {@code config:} looks like. Unknown keys are refused. */
  public <C extends Record> Settings<C> settings(Class<C> kind) {
    return settings(kind, fine -> List.of());
  }

  /** As above, and checks it beyond its type; what is returned stops the plugin unless it is a warning. */
  public <C extends Record> Settings<C> settings(Class<C> kind, Function<C, List<Diagnostic>> check) {
    var typed = new Settings<>(kind, check);
    settings = typed;
    return typed;
  }

  /** The host's services. */
  public Host host() {
    return host;
  }

  /**
   * Which of the plugin's things the entry means that this thread's call is for, where it says {@code
   * plugin:NAME:COMPONENT}; else empty.
   */
  public String component() {
    return settings.setup().meantBy(Caller.current()).getComponent();
  }

  /** A folder that the plugin may write to, and finds again when it is started again; empty before Configure. */
  public Optional<Path> dataDir() {
    return settings.setup().folder();
  }

  /** Changes what GetInfo says: vendor, licence, features, max_concurrency, … */
  public Plugin described(Consumer<GetInfoResponse.Builder> change) {
    change.accept(info);
    return this;
  }

  /** Says what CollectMetrics answers: text in Prometheus's format. */
  public Plugin metrics(Supplier<String> collect) {
    metrics = collect;
    return this;
  }

  /** Serves tools. */
  public Plugin tools(Tools tools) {
    return serves(new ToolService(tools, info.getVersion(), this));
  }

  /** Serves one of Hector's contracts, as grpc-java makes it, or any service besides. */
  public Plugin serves(BindableService service) {
    var name = service.bindService().getServiceDescriptor().getName();
    if (KINDS.containsKey(name)) {
      var component = Component.newBuilder().setKind(KINDS.get(name)).setService(name);
      info.addComponents(component.addAllRpcs(written(service)));
    }
    services.add(service);
    return this;
  }

  /**
   * Serves until the host asks for the end, and leaves the process; what is printed meanwhile goes to standard error, the
   * host's log.
   *
   * <p>The host ends a plugin by its Shutdown rpc, by SIGTERM, or by closing its standard input; calls in flight get
   * HECTOR_DRAIN_S seconds. {@code --standalone ADDRESS} on the command line serves without a host, and {@code
   * --rehearse} calls itself once and ends, for a JVM that writes an archive of the classes it has loaded.
   */
  public void serve(String... arguments) {
    var stdout = new PrintStream(new FileOutputStream(FileDescriptor.out), false, StandardCharsets.UTF_8);
    var stderr = new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8);
    System.setErr(stderr); // the JVM's own writes question marks where the locale is C, as in a sandbox
    System.setOut(stderr); // a stray print must not be taken for the handshake
    System.exit(served(arguments, stdout));
  }

  /** Says what is served, once everything is said. */
  List<ServerServiceDefinition> complete(Ending end) {
    info.setConfigSchemaJson(settings.schemaJson());
    var all = new ArrayList<ServerServiceDefinition>();
    services.forEach(service -> all.add(service.bindService()));
    all.add(new Identity(info.build(), settings, host, metrics, end).bindService());
    return all;
  }

  private int served(String[] arguments, PrintStream stdout) {
    try {
      if (arguments.length == 1 && arguments[0].equals("--rehearse")) {
        HclogLines.begin(info.getName(), "");
        Running.rehearse(this);
        return 0;
      }
      var launch = Launch.told(arguments, System.getenv());
      HclogLines.begin(info.getName(), System.getenv().getOrDefault("HECTOR_LOG_LEVEL", ""));
      var end = new Ending(launch.drain());
      end.onSignals(!launch.handshake());
      if (launch.watchStdin()) {
        end.onEndOfStdin();
      }
      host.isAt(launch.hostTarget());
      var served = new Served(this, launch.address(), launch.token(), end);
      var target = served.start();
      Logger.getLogger(HclogLines.SDK).log(Level.FINE, "serving", Map.of("address", target));
      if (launch.handshake()) {
        stdout.print(served.line());
        stdout.flush();
      } else {
        System.err.println(info.getName() + " listens on " + target);
      }
      stdout.close();
      served.finish();
      return 0;
    } catch (Launch.NotStarted refused) {
      System.err.println(refused.getMessage());
      return refused.code;
    } catch (IOException | InterruptedException error) {
      System.err.println("the plugin cannot serve: " + reason(error));
      return 1;
    }
  }

  private static String reason(Exception error) {
    Throwable deepest = error;
    while (deepest.getCause() != null) {
      deepest = deepest.getCause();
    }
    return deepest == error ? String.valueOf(error.getMessage()) : error.getMessage() + ": " + deepest.getMessage();
  }

  /** The rpcs that an author's class has itself; the others answer UNIMPLEMENTED. */
  private static List<String> written(BindableService service) {
    var rpcs = new ArrayList<String>();
    var descriptor = service.bindService().getServiceDescriptor();
    var contract = descriptor.getName().substring(descriptor.getName().lastIndexOf('.') + 1);
    for (var method : descriptor.getMethods()) {
      var rpc = method.getBareMethodName();
      var name = Character.toLowerCase(rpc.charAt(0)) + rpc.substring(1);
      if (Arrays.stream(service.getClass().getMethods()).anyMatch(one -> isWritten(one, name, contract))) {
        rpcs.add(rpc);
      }
    }
    return rpcs;
  }

  private static boolean isWritten(Method method, String name, String contract) {
    // What protoc makes stands in XGrpc$XImplBase, and in the interface beside it that this one implements.
    var home = method.getDeclaringClass().getName();
    boolean made =
        home.endsWith(contract + "Grpc$" + contract + "ImplBase") || home.endsWith(contract + "Grpc$AsyncService");
    return method.getName().equals(name) && method.getParameterCount() == 2 && !made;
  }
}
