"""How events leave: the stored envelope."""
