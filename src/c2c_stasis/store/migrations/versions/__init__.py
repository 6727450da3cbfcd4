"""The steps. Each is `r<number>_<what>.py` and is never changed once it was released."""
