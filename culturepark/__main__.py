"""The command ``culturepark``, also as ``python -m culturepark``."""

import signal
import sys


def run() -> int:
    """Run the command line; a Ctrl-C while it is loaded or ends is told in one line too, or not heard."""
    try:
        from culturepark.cli import main

        return main()
    except KeyboardInterrupt:
        print("culturepark: interrupted", file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Python's own end takes every other handler back


if __name__ == "__main__":
    sys.exit(run())
