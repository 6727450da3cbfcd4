"""What holds for every test."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)  # how long an example takes says more about the machine than about it
settings.load_profile("unhurried")
