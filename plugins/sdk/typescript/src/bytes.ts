/** Messages as the buffers that grpc-js sends. */
import { toBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";

/** Give a message's bytes, without copying them once more. */
export function bytesOf<M extends DescMessage>(type: M, message: MessageShape<M>): Buffer {
  const bytes = toBinary(type, message);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
