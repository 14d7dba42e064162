"""What a test does before it sends Ctrl-C to a program."""

from __future__ import annotations

import signal


def hear_interrupts() -> None:
    """For `preexec_fn`: a shell that starts tests in the background lets them, and their children, ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
