"""Everything random comes from one secret: HMAC-SHA256 of it over the purpose.

The generator is public, so a seed that could be guessed would give away a case's unaltered twin, and with it
the mask. Without the secret neither seeds nor ids nor orders can be told. It is never written anywhere.
"""

import hashlib
import hmac
from dataclasses import dataclass, field

import numpy as np

MINIMUM_SECRET = 16


@dataclass(frozen=True)
class Seeds:
    """The source of generators and opaque names; `secret` has at least 16 bytes.

    Raises:
        ValueError: the secret is too short to resist guessing.
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) < MINIMUM_SECRET:
            raise ValueError(
                f"the secret has {len(self.secret)} bytes; give at least {MINIMUM_SECRET}, "
                "since a guessed secret gives every mask away"
            )

    def digest(self, *purpose: str) -> bytes:
        """32 bytes that belong to this purpose alone."""
        message = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in purpose)
        return hmac.new(self.secret, message, hashlib.sha256).digest()

    def name(self, *purpose: str) -> str:
        """An opaque name: 20 hexadecimal digits."""
        return self.digest("name", *purpose).hex()[:20]

    def generator(self, *purpose: str) -> np.random.Generator:
        """A generator that belongs to this purpose alone."""
        return np.random.Generator(np.random.PCG64(int.from_bytes(self.digest("generator", *purpose), "big")))
