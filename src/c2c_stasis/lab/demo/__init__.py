"""The demonstration: one call on a real Asterisk, watched from all sides."""

from c2c_stasis.lab.demo.show import Options, run

__all__ = ["Options", "run"]
