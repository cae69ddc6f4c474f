import re

import pytest

from submissions.contract import Code
from submissions.remedies import remedy


@pytest.mark.parametrize("code", list(Code))
def test_every_failure_has_a_remedy(code: Code) -> None:
    found = remedy(code)
    assert re.fullmatch(r"[A-Z].{20,}\.", found.change), "a sentence or two"
    assert bool(found.command) == (code not in (Code.CANCELLED, Code.PLATFORM)), "what the image can change"


def test_a_code_of_another_version_is_ours_to_mend() -> None:
    assert remedy("unheard_of") == remedy(Code.PLATFORM)
