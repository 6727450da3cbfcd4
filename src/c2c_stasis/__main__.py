"""`python -m c2c_stasis` is the command `c2c-stasis`."""

import sys


def run() -> None:
    """The command; Ctrl-C ends it in silence from the first moment on, while it still reads its own parts."""
    try:
        from c2c_stasis.cli import main
    except KeyboardInterrupt:
        sys.exit(130)
    main(prog_name="c2c-stasis")


if __name__ == "__main__":
    run()
