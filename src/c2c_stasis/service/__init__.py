"""The service: takes requests, and brings every live call its signals, one at a time."""

from c2c_stasis.service.calls import CallService

__all__ = ["CallService"]
