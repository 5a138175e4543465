import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.hector.plugin.Plugin;
import dev.hector.plugin.Running;
import dev.hector.vector.v1.CreateCollectionRequest;
import dev.hector.vector.v1.DatabaseProviderGrpc;
import dev.hector.vector.v1.SearchVectorsRequest;
import dev.hector.vector.v1.UpsertVectorsRequest;
import dev.hector.vector.v1.VectorRecord;
import dev.hector.vector.v1.VectorResult;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The store, called as a host calls it, without a process. */
class MainTest {
  @Test
  void whatIsNearestIsFoundFirst() throws IOException {
    var east = VectorRecord.newBuilder().setId("east").addVector(1).addVector(0);
    var north = VectorRecord.newBuilder().setId("north").addVector(0).addVector(1);
    var both = UpsertVectorsRequest.newBuilder().setCollection("places").addVectors(east).addVectors(north);
    var query = SearchVectorsRequest.newBuilder().setCollection("places").addVector(0.1f).addVector(0.9f);
    try (var running = Running.start(new Plugin("example-database", "1.0.0").serves(new Main()), "")) {
      var store = DatabaseProviderGrpc.newBlockingStub(running.channel());
      store.createCollection(CreateCollectionRequest.newBuilder().setName("places").setDimension(2).build());
      store.upsertVectors(both.build());
      var found = store.searchVectors(query.build()).getResultsList();
      assertEquals(List.of("north", "east"), found.stream().map(VectorResult::getId).toList());
      var words = SearchVectorsRequest.newBuilder().setCollection("places").setText("north").build();
      var refused = assertThrows(StatusRuntimeException.class, () -> store.searchVectors(words));
      assertEquals(Code.UNIMPLEMENTED, refused.getStatus().getCode());
    }
  }
}
