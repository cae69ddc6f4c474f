"""Everything that a running process of the platform holds, opened once."""

from dataclasses import dataclass

from celery import Celery
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter, RateLimiter

from backend.config import Settings
from backend.db import Database
from backend.queue import announce, celery_app
from backend.storage import Storage


@dataclass(frozen=True)
class Platform:
    """Settings and the outside world as this process sees it."""

    settings: Settings
    database: Database
    storage: Storage
    celery: Celery
    limiter: RateLimiter

    @classmethod
    def open(cls, settings: Settings) -> "Platform":
        """Connect to what the settings name; makes the data folder if need be."""
        settings.data.mkdir(parents=True, exist_ok=True)
        return cls(
            settings=settings,
            database=Database(settings.database),
            storage=Storage(settings.data),
            celery=celery_app(settings),
            limiter=MovingWindowRateLimiter(storage_from_string(settings.limits_storage)),
        )

    def announce(self) -> int:
        """Send the wake-up calls that the database owes."""
        return announce(self.database, self.celery)

    def close(self) -> None:
        """Give every connection back."""
        self.database.close()
        self.celery.close()
