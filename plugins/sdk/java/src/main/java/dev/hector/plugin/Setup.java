package dev.hector.plugin;

import dev.hector.plugin.v1.ConfigureRequest;
import dev.hector.plugin.v1.Instance;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** What a host said in Configure beside the plugin's own settings. */
record Setup(List<Instance> instances, String dataDir) {
  static final Setup NONE = new Setup(List.of(), "");

  static Setup of(ConfigureRequest request) {
    return new Setup(request.getInstancesList(), request.getDataDir());
  }

  /** The entry of the configuration that a caller means; an empty one if the host named none of that name. */
  Instance meantBy(Caller caller) {
    var named = instances.stream().filter(one -> one.getName().equals(caller.instance())).findFirst();
    return named.orElse(Instance.getDefaultInstance());
  }

  Optional<Path> folder() {
    return dataDir.isEmpty() ? Optional.empty() : Optional.of(Path.of(dataDir));
  }
}
