"""Settings of the platform: every field is read from `MOODARENA_<FIELD>`."""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What differs between a laptop, a hospital's closed machine and a cluster. Times in seconds."""

    model_config = SettingsConfigDict(env_prefix="MOODARENA_", extra="ignore", frozen=True)

    data: Path = Path("data")
    database_url: str = ""
    broker_url: str = ""
    base_url: str = "http://127.0.0.1:8000"

    worker_token: SecretStr | None = None
    origin_url: str = ""
    slots: str = "toy:cpu,test:cpu"

    lease_seconds: float = 120
    heartbeat_seconds: float = 10
    poll_seconds: float = 5
    sweep_seconds: float = 3600
    max_attempts: int = 3

    session_days: int = 14
    upload_hours: int = 48
    uploads_per_user: int = 3
    login_rate: str = "10 per 5 minutes"

    @property
    def database(self) -> str:
        """SQLAlchemy address of the database; SQLite in the data folder unless another is named."""
        return self.database_url or f"sqlite:///{(self.data / 'moodarena.db').absolute()}"

    @property
    def broker(self) -> str:
        """Celery address of the broker; files in the data folder unless another is named."""
        return self.broker_url or "filesystem://"

    @property
    def limits_storage(self) -> str:
        """Where request rates are counted: in Redis when it is the broker, else in this process."""
        return self.broker_url if self.broker_url.startswith("redis") else "memory://"

    @property
    def secure_cookies(self) -> bool:
        """Cookies are marked Secure whenever people reach us under TLS."""
        return urlsplit(self.base_url).scheme == "https"
