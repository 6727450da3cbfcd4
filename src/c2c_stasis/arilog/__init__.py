"""The ARI log: what we asked of Asterisk, what it said, and what each call made of it, as JSON lines in files."""

from c2c_stasis.arilog.log import AriLog, Settings

__all__ = ["AriLog", "Settings"]
