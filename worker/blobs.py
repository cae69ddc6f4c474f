"""Archives and cases by digest: from this node's storage, else from the platform, authenticated."""

from pathlib import Path

import httpx

from backend.config import Settings
from backend.storage import CHUNK, Storage


class Blobs:
    """Blobs for a worker. With `origin_url` set, the node has its own storage and fetches what it lacks.

    Raises httpx errors when the platform cannot be reached, DigestMismatch when it sends something else:
    both are failures of ours, and the run is tried again.
    """

    def __init__(self, settings: Settings, storage: Storage) -> None:
        self.storage = storage
        self.origin = settings.origin_url.rstrip("/")
        token = settings.worker_token.get_secret_value() if settings.worker_token else ""
        self._client = httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=60)

    def ensure(self, sha256: str) -> Path:
        """Path of the blob on this node, fetched if need be."""
        if not self.storage.has(sha256):
            if not self.origin:
                raise FileNotFoundError(
                    f"blob {sha256} is not in {self.storage.blobs}; restore it, or set MOODARENA_ORIGIN_URL"
                )
            with self._client.stream("GET", self._url(sha256)) as response:
                response.raise_for_status()
                self.storage.put(response.iter_bytes(CHUNK), expected=sha256)
        return self.storage.path(sha256)

    def publish(self, content: bytes) -> str:
        """Store a blob so that the platform's pages can read it; returns its digest."""
        sha256 = self.storage.put(iter([content]))
        if self.origin:
            self._client.put(self._url(sha256), content=content).raise_for_status()
        return sha256

    def _url(self, sha256: str) -> str:
        return f"{self.origin}/api/v1/blobs/{sha256}"

    def close(self) -> None:
        self._client.close()
