"""After a commit: tell the workers, if the broker is there to be told."""

import logging

from kombu.exceptions import OperationalError

from backend.platform import Platform

log = logging.getLogger(__name__)


def announce(platform: Platform) -> None:
    """Wake the workers up. A broker that is away costs time only: they look for work by themselves too."""
    try:
        platform.announce()
    except (OperationalError, OSError):
        log.exception("the broker cannot be reached; workers find the work when they next look")
