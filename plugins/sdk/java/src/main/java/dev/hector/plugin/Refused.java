package dev.hector.plugin;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.rpc.ErrorInfo;
import com.google.rpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;

/** Statuses with a reason that programs can read. */
public final class Refused {
  private static final String DOMAIN = "hector.plugin";

  /** What fits twice into a call's trailers, percent-encoded once; a longer one would become an error of gRPC's own. */
  private static final int LONGEST_BYTES = 1_500;

  private Refused() {}

  /** Makes the exception for a call that is refused, as {@code with(NOT_FOUND, "MODEL_NOT_FOUND", "…")}. */
  public static StatusRuntimeException with(io.grpc.Status.Code code, String reason, String message) {
    var info = ErrorInfo.newBuilder().setReason(reason).setDomain(DOMAIN);
    var status = Status.newBuilder().setCode(code.value()).setMessage(shortened(message));
    return StatusProto.toStatusRuntimeException(status.addDetails(Any.pack(info.build())).build());
  }

  private static String shortened(String message) {
    var bytes = ByteString.copyFromUtf8(message);
    if (bytes.size() <= LONGEST_BYTES) {
      return message;
    }
    int end = LONGEST_BYTES;
    while ((bytes.byteAt(end) & 0xC0) == 0x80) { // not within a character
      end--;
    }
    return bytes.substring(0, end).toStringUtf8() + "…";
  }
}
