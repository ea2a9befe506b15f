"""Take OTLP requests, over gRPC and HTTP, and answer only for what is durable.

receive → decompress → JSON to protobuf → accept (envelope) → journal → acknowledge
"""
