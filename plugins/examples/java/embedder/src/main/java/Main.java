import com.google.protobuf.ByteString;
import dev.hector.common.v1.TokenUsage;
import dev.hector.embedder.v1.EmbedBatchRequest;
import dev.hector.embedder.v1.EmbedBatchResponse;
import dev.hector.embedder.v1.EmbedTextRequest;
import dev.hector.embedder.v1.EmbedTextResponse;
import dev.hector.embedder.v1.EmbedderProviderGrpc.EmbedderProviderImplBase;
import dev.hector.embedder.v1.Embedding;
import dev.hector.embedder.v1.GetDimensionsRequest;
import dev.hector.embedder.v1.GetDimensionsResponse;
import dev.hector.plugin.Plugin;
import dev.hector.plugin.Refused;
import io.grpc.Status.Code;
import io.grpc.stub.StreamObserver;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.List;
import java.util.StringTokenizer;
import java.util.stream.DoubleStream;

/** An embedder whose vectors are hashes: they mean nothing, and are always the same. */
final class Main extends EmbedderProviderImplBase {
  private static final int DIMENSIONS = 8;
  private static final int MAX_BATCH = 128;

  public static void main(String[] arguments) {
    new Plugin("example-embedder", "1.0.0").serves(new Main()).serve(arguments);
  }

  @Override
  public void embedText(EmbedTextRequest request, StreamObserver<EmbedTextResponse> answer) {
    check(request.getModel(), request.getDimensions());
    answer.onNext(
        EmbedTextResponse.newBuilder()
            .setSuccess(true)
            .setVectorF32(vector(request.getText(), "the text"))
            .setUsage(usage(List.of(request.getText())))
            .build());
    answer.onCompleted();
  }

  @Override
  public void embedBatch(EmbedBatchRequest request, StreamObserver<EmbedBatchResponse> answer) {
    check(request.getModel(), request.getDimensions());
    if (request.getTextsCount() > MAX_BATCH) {
      throw refused(request.getTextsCount() + " texts are too many for one call; " + MAX_BATCH + " are taken");
    }
    var response = EmbedBatchResponse.newBuilder().setSuccess(true).setUsage(usage(request.getTextsList()));
    for (int i = 0; i < request.getTextsCount(); i++) {
      response.addEmbeddings(Embedding.newBuilder().setVectorF32(vector(request.getTexts(i), "texts[" + i + "]")));
    }
    answer.onNext(response.build());
    answer.onCompleted();
  }

  @Override
  public void getDimensions(GetDimensionsRequest request, StreamObserver<GetDimensionsResponse> answer) {
    check(request.getModel(), 0);
    answer.onNext(
        GetDimensionsResponse.newBuilder()
            .setDimensions(DIMENSIONS)
            .setMaxBatch(MAX_BATCH)
            .setNormalized(true)
            .setFingerprint("sha256-8")
            .build());
    answer.onCompleted();
  }

  private static void check(String model, int dimensions) {
    if (!model.isEmpty() && !model.equals("hash")) {
      var sentence = "there is no model \"" + model + "\" here; there is hash";
      throw Refused.with(Code.NOT_FOUND, "MODEL_NOT_FOUND", sentence);
    }
    if (dimensions != 0 && dimensions != DIMENSIONS) {
      throw refused("vectors have " + DIMENSIONS + " dimensions here, not " + Integer.toUnsignedString(dimensions));
    }
  }

  private static ByteString vector(String text, String place) {
    if (text.isBlank()) {
      throw refused(place + " says nothing");
    }
    var digest = ByteBuffer.wrap(sha256(text));
    var numbers = DoubleStream.generate(() -> Integer.toUnsignedLong(digest.getInt()) / 4294967296.0 - 0.5);
    double[] vector = numbers.limit(DIMENSIONS).toArray();
    double length = Math.sqrt(DoubleStream.of(vector).map(value -> value * value).sum());
    var bytes = ByteBuffer.allocate(4 * DIMENSIONS).order(ByteOrder.LITTLE_ENDIAN);
    DoubleStream.of(vector).forEachOrdered(value -> bytes.putFloat((float) (value / length)));
    return ByteString.copyFrom(bytes.flip());
  }

  private static byte[] sha256(String text) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException(impossible); // every Java has it
    }
  }

  private static TokenUsage usage(List<String> texts) {
    long words = texts.stream().mapToLong(text -> new StringTokenizer(text).countTokens()).sum();
    return TokenUsage.newBuilder().setPromptTokens(words).setTotalTokens(words).build();
  }

  private static RuntimeException refused(String sentence) {
    return Refused.with(Code.INVALID_ARGUMENT, "EMBEDDING_REFUSED", sentence);
  }
}
