"""Fixtures of the acceptance tests: the little challenge that the integration tests use too."""

from tests.integration.conftest import scans

__all__ = ["scans"]
