"""Networks that learn from a stream, one dict at a time."""
