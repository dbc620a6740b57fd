"""The object store: the protocol, S3, and transfers with retries."""
