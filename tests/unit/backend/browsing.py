"""A person with a browser that has no JavaScript, for tests of pages."""

import re
from dataclasses import dataclass
from typing import Any

from fastapi.testclient import TestClient
from httpx import Response

from tests.unit.backend.world import PASSWORD

_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')


@dataclass
class Visitor:
    """Follows redirects and sends the token of the page that a form is on."""

    client: TestClient

    def get(self, path: str, status: int = 200) -> str:
        answer = self.client.get(path)
        assert answer.status_code == status, (path, answer.status_code, answer.text)
        return answer.text

    def post(self, page: str, path: str, **fields: Any) -> Response:
        """Send the form of a page."""
        token = _TOKEN.search(self.client.get(page).text)
        assert token is not None, f"{page} has no form"
        return self.client.post(path, data={"csrf": token[1], **fields})

    def sign_in(self, name: str) -> "Visitor":
        answer = self.post("/sign-in", "/sign-in", name=name, password=PASSWORD)
        assert answer.url.path == "/", answer.text
        return self


def visitor(client: TestClient) -> Visitor:
    """A person who has not signed in, at the same application."""
    return Visitor(TestClient(client.app))
