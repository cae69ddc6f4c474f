"""Fixtures of the acceptance tests: the little challenges that the integration tests use too."""

from tests.integration.conftest import analysed_scans, scans

__all__ = ["analysed_scans", "scans"]
