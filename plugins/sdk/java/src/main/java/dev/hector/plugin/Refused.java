package dev.hector.plugin;

import com.google.protobuf.Any;
import com.google.rpc.ErrorInfo;
import com.google.rpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;

/** Statuses with a reason that programs can read. */
public final class Refused {
  private static final String DOMAIN = "hector.plugin";

  private Refused() {}

  /** Makes the exception for a call that is refused, as {@code with(NOT_FOUND, "MODEL_NOT_FOUND", "…")}. */
  public static StatusRuntimeException with(io.grpc.Status.Code code, String reason, String message) {
    var info = ErrorInfo.newBuilder().setReason(reason).setDomain(DOMAIN);
    var status = Status.newBuilder().setCode(code.value()).setMessage(message).addDetails(Any.pack(info.build()));
    return StatusProto.toStatusRuntimeException(status.build());
  }
}
