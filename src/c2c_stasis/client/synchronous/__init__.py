"""The client for ordinary programs. Drawn from `asynchronous`, but for `transport.py`."""
