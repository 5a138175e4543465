import dev.hector.plugin.Plugin;
import dev.hector.plugin.Refused;
import dev.hector.vector.v1.CreateCollectionRequest;
import dev.hector.vector.v1.CreateCollectionResponse;
import dev.hector.vector.v1.DatabaseProviderGrpc.DatabaseProviderImplBase;
import dev.hector.vector.v1.DeleteCollectionRequest;
import dev.hector.vector.v1.DeleteCollectionResponse;
import dev.hector.vector.v1.DeleteVectorsRequest;
import dev.hector.vector.v1.DeleteVectorsResponse;
import dev.hector.vector.v1.Metric;
import dev.hector.vector.v1.SearchMode;
import dev.hector.vector.v1.SearchVectorsRequest;
import dev.hector.vector.v1.SearchVectorsResponse;
import dev.hector.vector.v1.UpsertVectorsRequest;
import dev.hector.vector.v1.UpsertVectorsResponse;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/** A vector store in memory, which compares with every record; put your own store in its place. */
final class Main extends DatabaseProviderImplBase {
  private final ConcurrentMap<String, VectorSpace> collections = new ConcurrentHashMap<>();

  public static void main(String[] arguments) {
    new Plugin("example-database", "1.0.0").serves(new Main()).serve(arguments);
  }

  @Override
  public void createCollection(
      CreateCollectionRequest request, StreamObserver<CreateCollectionResponse> answer) {
    boolean unsaid = request.getMetric() == Metric.METRIC_UNSPECIFIED;
    var metric = unsaid ? Metric.METRIC_COSINE : request.getMetric();
    if (request.getName().isEmpty() || request.getDimension() <= 0 || metric == Metric.UNRECOGNIZED) {
      throw invalid("a collection needs a name, a dimension, and a metric that is known");
    }
    var asked = new VectorSpace(request.getDimension(), metric);
    var there = collections.putIfAbsent(request.getName(), asked);
    if (there != null && !there.isLike(asked)) {
      var sentence = request.getName() + " is there already, with " + there;
      throw Refused.with(Code.FAILED_PRECONDITION, "COLLECTION_MISMATCH", sentence);
    }
    answer.onNext(CreateCollectionResponse.newBuilder().setSuccess(true).build());
    answer.onCompleted();
  }

  @Override
  public void deleteCollection(
      DeleteCollectionRequest request, StreamObserver<DeleteCollectionResponse> answer) {
    collections.remove(request.getName());
    answer.onNext(DeleteCollectionResponse.newBuilder().setSuccess(true).build());
    answer.onCompleted();
  }

  @Override
  public void upsertVectors(UpsertVectorsRequest request, StreamObserver<UpsertVectorsResponse> answer) {
    int upserted = named(request.getCollection()).put(request.getVectorsList());
    answer.onNext(UpsertVectorsResponse.newBuilder().setSuccess(true).setUpserted(upserted).build());
    answer.onCompleted();
  }

  @Override
  public void searchVectors(SearchVectorsRequest request, StreamObserver<SearchVectorsResponse> answer) {
    boolean unsaid = request.getMode() == SearchMode.SEARCH_MODE_UNSPECIFIED;
    boolean byVector = unsaid ? request.getText().isEmpty() : request.getMode() == SearchMode.SEARCH_MODE_VECTOR;
    if (!byVector) { // the caller does without, and searches by vector alone
      var sentence = "this store searches by vector, and not by words";
      throw Refused.with(Code.UNIMPLEMENTED, "SEARCH_MODE_UNKNOWN", sentence);
    }
    var found = named(request.getCollection()).nearest(request);
    answer.onNext(SearchVectorsResponse.newBuilder().setSuccess(true).addAllResults(found).build());
    answer.onCompleted();
  }

  @Override
  public void deleteVectors(DeleteVectorsRequest request, StreamObserver<DeleteVectorsResponse> answer) {
    if (request.getIdsCount() == 0 && !request.hasFilter()) {
      throw invalid("say which records to delete: ids or a filter");
    }
    int deleted = named(request.getCollection()).delete(request);
    answer.onNext(DeleteVectorsResponse.newBuilder().setSuccess(true).setDeleted(deleted).build());
    answer.onCompleted();
  }

  static StatusRuntimeException invalid(String sentence) {
    return Refused.with(Code.INVALID_ARGUMENT, "INVALID_ARGUMENT", sentence);
  }

  private VectorSpace named(String name) {
    var there = collections.get(name);
    if (there == null) {
      throw Refused.with(Code.NOT_FOUND, "COLLECTION_NOT_FOUND", "there is no collection \"" + name + "\"");
    }
    return there;
  }
}
