"""Figures of the service on this machine: how fast, how many, and whether anything leaks."""
