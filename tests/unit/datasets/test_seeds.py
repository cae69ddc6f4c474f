import hashlib
import hmac

import numpy as np
import pytest

from datasets.seeds import Seeds

SECRET = b"sixteen bytes or more"


def test_the_same_purpose_gives_the_same_numbers_and_names() -> None:
    first, second = Seeds(SECRET), Seeds(SECRET)
    assert np.array_equal(first.generator("a", "b").random(9), second.generator("a", "b").random(9))
    assert first.name("a", "b") == second.name("a", "b")


@pytest.mark.parametrize("other", [("ab",), ("a", "b", ""), ("", "a", "b"), ("b", "a"), ("a",)])
def test_another_purpose_gives_others_even_if_its_parts_join_to_the_same_text(other: tuple[str, ...]) -> None:
    seeds = Seeds(SECRET)
    assert seeds.digest("a", "b") != seeds.digest(*other)


def test_another_secret_gives_others() -> None:
    assert Seeds(SECRET).digest("a") != Seeds(SECRET + b"!").digest("a")


def test_a_digest_is_the_hmac_of_the_length_prefixed_purpose() -> None:
    message = b"\0\0\0\1a\0\0\0\2bc"
    assert Seeds(SECRET).digest("a", "bc") == hmac.new(SECRET, message, hashlib.sha256).digest()


def test_a_secret_that_could_be_guessed_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 16"):
        Seeds(b"short")


def test_the_secret_is_not_shown_when_printed() -> None:
    assert "sixteen" not in repr(Seeds(SECRET))
