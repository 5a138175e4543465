import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import dev.hector.embedder.v1.EmbedBatchRequest;
import dev.hector.embedder.v1.EmbedTextRequest;
import dev.hector.embedder.v1.EmbedderProviderGrpc;
import dev.hector.plugin.Plugin;
import dev.hector.plugin.Running;
import java.io.IOException;
import org.junit.jupiter.api.Test;

/** The embedder, called as a host calls it, without a process. */
class MainTest {
  @Test
  void theSameTextHasTheSameVector() throws IOException {
    try (var running = Running.start(new Plugin("example-embedder", "1.0.0").serves(new Main()), "")) {
      var embedder = EmbedderProviderGrpc.newBlockingStub(running.channel());
      var one = embedder.embedText(EmbedTextRequest.newBuilder().setText("straße").build()).getVectorF32();
      var batch = EmbedBatchRequest.newBuilder().addTexts("straße").addTexts("road").build();
      var both = embedder.embedBatch(batch).getEmbeddingsList();
      assertEquals(one, both.get(0).getVectorF32());
      assertNotEquals(one, both.get(1).getVectorF32());
    }
  }
}
