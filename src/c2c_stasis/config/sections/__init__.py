"""The sections of the configuration file: of each key its meaning, what it may be, its default, and whether it reloads."""
