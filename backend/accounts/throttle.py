"""How often a password may be tried, and an account be made."""

from limits import RateLimitItem, parse
from limits.strategies import RateLimiter

from backend.errors import TooMany

ADDRESS_FACTOR = 5  # many people share a hospital's address
NAME_FACTOR = 10  # a stranger who fails on purpose must not lock the owner out, who comes from elsewhere
SIGN_UPS = parse("100 per hour")


def check_login(limiter: RateLimiter, rate: str, name: str, address: str) -> None:
    """Count an attempt to log in.

    Raises:
        TooMany: too many attempts for this name, from this address, or for this name from this address.
    """
    item = parse(rate)
    counts = (
        limiter.hit(item, "login", "both", name.lower(), address),
        limiter.hit(_times(item, ADDRESS_FACTOR), "login", "address", address),
        limiter.hit(_times(item, NAME_FACTOR), "login", "name", name.lower()),
    )
    if not all(counts):
        raise TooMany("too_many_logins", "Too many attempts to sign in. Wait a few minutes and try again.")


def forget_login(limiter: RateLimiter, rate: str, name: str, address: str) -> None:
    """A person who signed in starts anew."""
    limiter.clear(parse(rate), "login", "both", name.lower(), address)


def check_sign_up(limiter: RateLimiter, address: str) -> None:
    """Count an attempt to make an account.

    Raises:
        TooMany: too many from this address.
    """
    if not limiter.hit(SIGN_UPS, "sign-up", address):
        raise TooMany("too_many_accounts", "Too many accounts were made from your address. Try again later.")


def _times(item: RateLimitItem, factor: int) -> RateLimitItem:
    return type(item)(item.amount * factor, item.multiples)
