"""What can keep the laboratory from working, told with what to do about it."""

from c2c_stasis.errors import ClickToCallError


class LaboratoryError(ClickToCallError):
    """The laboratory cannot go on; the message says why and what helps."""


class MirrorUnreachable(LaboratoryError):
    """The mirror did not answer: another suite would not help, another mirror or a working network would."""


class OverrideMisses(LaboratoryError):
    """The laboratory wants to change a setting that the shipped configuration does not have, or has more than once."""
