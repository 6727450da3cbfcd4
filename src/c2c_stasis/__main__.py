"""`python -m c2c_stasis` is the command `c2c-stasis`."""

from c2c_stasis.cli import main

if __name__ == "__main__":
    main(prog_name="c2c-stasis")
