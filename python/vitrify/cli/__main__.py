"""The program `vitrify`, which `python -m vitrify.cli` is, too."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Runs the command line."""
    try:
        from vitrify.cli.ending import prepare_streams
        from vitrify.cli.main import app
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    prepare_streams()
    app()


if __name__ == "__main__":
    main()
