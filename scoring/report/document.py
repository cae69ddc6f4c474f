"""The report as a file for programs."""

import json
from collections.abc import Mapping
from typing import Any


def to_json(document: Mapping[str, Any]) -> bytes:
    """The document as UTF-8; numbers are not rounded, and read back as the same floats.

    Raises `ValueError` on NaN and infinity, which JSON has no word for.
    """
    return (json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()
