"""Bodies of requests, written to disk as they come, without ever holding one whole."""

import os
from collections.abc import AsyncIterator, Callable

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from backend.errors import BadInput, TooLarge

BUFFER = 1 << 20
BINARY = "application/octet-stream"
STREAMED = "body_is_streamed"  # lifts the bound that `guard.py` puts on bodies read whole


async def receive(request: Request, limit: int, sink: Callable[[bytes], object]) -> int:
    """Hand the body to `sink`, in a thread, in pieces of about a mebibyte. Returns how many bytes came.

    A client that goes away ends the body: what came until then counts.

    Raises:
        TooLarge: there are more than `limit` bytes; what came before was handed on.
    """
    if int(request.headers.get("content-length", 0)) > limit:
        raise _too_large(limit)
    received, buffer = 0, bytearray()
    async for chunk in until_gone(request):
        received += len(chunk)
        if received > limit:
            raise _too_large(limit)
        buffer += chunk
        if len(buffer) >= BUFFER:
            await run_in_threadpool(sink, bytes(buffer))
            buffer.clear()
    await run_in_threadpool(sink, bytes(buffer))
    return received


def writer_at(descriptor: int, offset: int) -> Callable[[bytes], None]:
    """A sink that writes one piece after the other into a file, from `offset` on."""

    def write(piece: bytes) -> None:
        nonlocal offset
        view = memoryview(piece)
        while view:
            written = os.pwrite(descriptor, view, offset)
            offset, view = offset + written, view[written:]

    return write


def check_binary(request: Request) -> None:
    """Refuse bodies that are not declared as plain bytes, such as forms.

    Raises:
        BadInput: with the header to send.
    """
    if request.headers.get("content-type", "") != BINARY:
        raise BadInput("content_type", f"Send the bytes with `Content-Type: {BINARY}`.")


async def until_gone(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes, however large, so the caller bounds it; it ends when the client goes away."""
    setattr(request.state, STREAMED, True)
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        return


def _too_large(limit: int) -> TooLarge:
    return TooLarge("body_too_large", f"At most {limit} bytes are taken here.", limit=limit)
