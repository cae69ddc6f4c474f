"""Around every command: who calls, and how expected failures end."""

from typing import Any

import typer
from typer.core import TyperGroup

from submissions import config, console
from submissions.archive import ArchiveRejected
from submissions.client import Client
from submissions.console import Exit, Stop
from submissions.engine import EngineError
from submissions.kit import KitError
from submissions.saving import NotSaved
from submissions.wire import Damaged, NoConnection, Refused


class Guarded(TyperGroup):
    """Turns every expected failure into one message, one code and one exit status."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Stop as stop:
            self._end(ctx, stop)
        except Refused as refusal:
            self._end(ctx, Stop(Exit.REFUSED, refusal.code, _advised(refusal), **refusal.facts))
        except NoConnection as error:
            self._end(ctx, Stop(Exit.NO_CONNECTION, "no_connection", str(error)))
        except Damaged as error:
            self._end(ctx, Stop(Exit.NO_CONNECTION, "damaged", str(error)))
        except ArchiveRejected as rejection:
            self._end(ctx, Stop(Exit.NOT_FINE, rejection.code.value, rejection.message))
        except KitError as error:
            self._end(ctx, Stop(Exit.NOT_HERE, "no_kit", str(error)))
        except NotSaved as error:
            self._end(ctx, Stop(Exit.NOT_HERE, "no_image", str(error)))
        except EngineError as error:
            self._end(
                ctx, Stop(Exit.NOT_HERE, "engine", f"The container engine failed, not the image: {error}")
            )
        except KeyboardInterrupt:
            raise typer.Exit(130) from None

    @staticmethod
    def _end(ctx: Any, stop: Stop) -> None:
        console.report(stop, console.wants_json(ctx))
        raise typer.Exit(int(stop.status))


def _advised(refusal: Refused) -> str:
    advice = " Sign in again with `moodarena login`." if refusal.status == 401 else ""
    return f"{refusal.message}{advice}"


def signed_in() -> Client:
    """The client of the login in use.

    Raises:
        Stop: there is none.
    """
    stored = config.read_login()
    if stored is None:
        raise not_signed_in()
    return Client(stored.url, stored.token)


def not_signed_in() -> Stop:
    """What to say to somebody without a login."""
    return Stop(Exit.NOT_HERE, "not_signed_in", "You are not signed in. Type `moodarena login URL`.")
