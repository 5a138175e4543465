import dev.hector.plugin.*;
import java.util.Locale;

/** Two tools, one of them slow. */
final class Main {
  record Config(@Fallback("") String suffix) {}
  record Upper(@About("The text.") String text) {}
  record Wait(@About("How long.") double seconds) {}

  static Plugin plugin() {
    var plugin = new Plugin("example-tool", "1.0.0");
    var config = plugin.settings(Config.class);
    return plugin.tools(new Tools()
        .tool("upper", "Turns a text into upper case.", Upper.class,
            (given, call) -> given.text().toUpperCase(Locale.ROOT) + config.get().suffix()).readOnly().idempotent()
        .tool("wait", "Waits for some seconds.", Wait.class, Main::wait).readOnly().idempotent());
  }
  static String wait(Wait given, Call call) throws ToolFailed, InterruptedException {
    if (given.seconds() < 0) throw new ToolFailed("seconds must not be negative");
    call.progress(0, given.seconds(), "waiting");
    Thread.sleep((long) (given.seconds() * 1000)); // interrupted when the caller leaves
    return "waited";
  }
  public static void main(String[] arguments) {
    plugin().serve(arguments);
  }
}
