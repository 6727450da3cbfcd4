"""`python -m c2c_stasis` is the command `c2c-stasis`."""

import signal
import sys


def run() -> None:
    """The command; Ctrl-C ends it in silence from the first moment on, while it still reads its own parts."""
    if "serve" in sys.argv[1:]:  # a reload that comes before the service can listen to it must not end it
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        from c2c_stasis.cli import main
    except KeyboardInterrupt:
        sys.exit(130)
    main(prog_name="c2c-stasis")


if __name__ == "__main__":
    run()
