package dev.hector.plugin;

/** The tool ran and failed: the model reads the message, and may try another way. */
public final class ToolFailed extends Exception {
  public ToolFailed(String why) {
    super(why == null || why.isBlank() ? "the tool failed and did not say why" : why, null, false, false);
  }
}
