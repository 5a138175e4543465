"""Options that both ends of every socket of the mesh share."""

MESSAGE_BYTES = 64 * 1024 * 1024
"""The largest message, either way. grpc's own 4 MiB is less than one document."""
METADATA_BYTES = 64 * 1024
"""What one call's metadata may take; errors travel in it."""
KEEPALIVE_S = 20.0
"""How long a connection may be silent before it is asked for a sign of life; ten more, and it is dead."""

Options = tuple[tuple[str, str | int], ...]

SHARED: Options = (
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_metadata_size", METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", 2 * METADATA_BYTES),
    ("grpc.keepalive_time_ms", int(KEEPALIVE_S * 1000)),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
)
