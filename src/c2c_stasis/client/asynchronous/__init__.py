"""The client for programs that run on asyncio. What is in `synchronous` is drawn from it, but for `transport.py`."""
