"""Walks through every door of an application: each route, each method, and everything one may type there.

A route, parameter or field that the walker does not know stops it: whoever adds one teaches it here what a
curious participant would try.
"""

import http.client
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.params import Form
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel
from starlette.routing import Mount, Route

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE")
JSON, FORM, BINARY = "application/json", "application/x-www-form-urlencoded", "application/octet-stream"


class UnknownDoor(AssertionError):
    """The application has a route, a parameter or a field that the walker was not taught."""


@dataclass(frozen=True)
class Door:
    """A route: its path with `{parameters}`, and the names of all that may be sent to it."""

    path: str
    methods: frozenset[str]
    parameters: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    form: bool = False


@dataclass(frozen=True)
class Ask:
    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def as_bytes(self) -> bytes:
        """All that was sent: what of it comes back in the answer was known before."""
        return "\n".join((self.target, *self.headers.values())).encode() + b"\n" + self.body

    def __str__(self) -> str:
        return f"{self.method} {self.target} {self.body[:120]!r}"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def headers_as_bytes(self) -> bytes:
        return "\n".join(f"{name}: {value}" for name, value in self.headers).encode("latin-1")


# --- doors ---


def doors(app: FastAPI) -> list[Door]:
    """All routes of an application.

    Raises:
        UnknownDoor: there is one of a kind that is not known here.
    """
    return [_door(context) for context in iter_route_contexts(app.routes)]


def _door(context: Any) -> Door:
    route = context.original_route
    if isinstance(route, APIRoute):
        return _api_door(context.path, frozenset(context.methods), context.dependant)
    if isinstance(route, Mount) and route.name == "static":
        return Door(f"{route.path}/{{static}}", frozenset({"GET", "HEAD"}), ("static",))
    if isinstance(route, Route) and "{" not in route.path:
        return Door(route.path, frozenset(route.methods or ()))
    raise UnknownDoor(f"teach the walker what {route!r} is")


def _api_door(path: str, methods: frozenset[str], dependant: Dependant) -> Door:
    everything = list(_flat(dependant))
    body = [parameter for part in everything for parameter in part.body_params]
    return Door(
        path=path.replace(":path}", "}"),
        methods=methods,
        parameters=_aliases(part.path_params for part in everything),
        query=_aliases(part.query_params for part in everything),
        headers=_aliases(part.header_params for part in everything),
        fields=tuple(name for parameter in body for name in _names(parameter)),
        form=any(isinstance(parameter.field_info, Form) for parameter in body),
    )


def _flat(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for inner in dependant.dependencies:
        yield from _flat(inner)


def _aliases(groups: Iterable[Sequence[Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(parameter.alias for group in groups for parameter in group))


def _names(parameter: Any) -> list[str]:
    kind = parameter.field_info.annotation
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return list(kind.model_fields)
    return [parameter.alias]


# --- questions ---


@dataclass(frozen=True)
class Knowledge:
    """What to type: for each parameter, field and header by name, the ordinary value first.

    `starts` are whole sets of ordinary values; from each of them one value after the other is replaced.
    Values of the path are percent-encoded already.
    """

    path: Mapping[str, Sequence[str]]
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, Sequence[str]]
    fields: Mapping[str, Sequence[Any]]
    starts: Sequence[Mapping[str, str]]
    junk: Sequence[tuple[str, bytes]]

    def of(self, kind: Mapping[str, Sequence[Any]], name: str, door: Door) -> Sequence[Any]:
        if name not in kind:
            raise UnknownDoor(f"{door.path}: teach the walker what to type for {name!r}")
        return kind[name]


def questions(door: Door, knowledge: Knowledge) -> Iterator[Ask]:
    """Every question to ask at a door: what it expects, one thing wrong at a time, then other methods."""
    for method in sorted(door.methods, key=METHODS.index):
        targets = list(dict.fromkeys(_targets(door, knowledge)))
        if method in ("GET", "HEAD", "OPTIONS"):
            yield from (Ask(method, target) for target in targets)
            continue
        bodies = list(_bodies(door, knowledge))
        yield from (Ask(method, target, *bodies[0]) for target in targets)
        yield from (Ask(method, targets[0], headers, body) for headers, body in bodies[1:])
    first = next(_targets(door, knowledge))
    for method in METHODS:
        if method not in door.methods:
            yield Ask(
                method, first, {"Content-Type": JSON}, b"{}" if method in ("POST", "PUT", "PATCH") else b""
            )


def _targets(door: Door, knowledge: Knowledge) -> Iterator[str]:
    choices = {name: knowledge.of(knowledge.path, name, door) for name in door.parameters}
    for start in knowledge.starts:
        usual = {name: start.get(name, values[0]) for name, values in choices.items()}
        yield _filled(door, usual)
        for name, values in choices.items():
            yield from (_filled(door, usual | {name: value}) for value in values)
        path = _filled(door, usual)
        for name in door.query:
            for value in knowledge.of(knowledge.query, name, door):
                yield f"{path}?{urlencode({name: value})}"
        queries = {name: knowledge.of(knowledge.query, name, door)[0] for name in door.query}
        if len(queries) > 1:
            yield f"{path}?{urlencode(queries)}"


def _filled(door: Door, values: Mapping[str, str]) -> str:
    path = door.path
    for name, value in values.items():
        path = path.replace("{" + name + "}", value)
    return path


def _bodies(door: Door, knowledge: Knowledge) -> Iterator[tuple[dict[str, str], bytes]]:
    more = {name: knowledge.of(knowledge.headers, name, door)[0] for name in door.headers}
    choices = {name: knowledge.of(knowledge.fields, name, door) for name in door.fields}
    usual = {name: values[0] for name, values in choices.items()}
    yield _body(door, more, usual)
    for name, values in choices.items():
        yield from (_body(door, more, usual | {name: value}) for value in values[1:])
    for name in door.headers:
        for value in knowledge.headers[name][1:]:
            yield _body(door, more | {name: value}, usual)
    yield from (({"Content-Type": kind, **more}, content) for kind, content in knowledge.junk)


def _body(door: Door, more: Mapping[str, str], values: Mapping[str, Any]) -> tuple[dict[str, str], bytes]:
    if door.form:
        return {"Content-Type": FORM, **more}, urlencode(values).encode()
    if door.fields:
        return {"Content-Type": JSON, **more}, json.dumps(values).encode()
    return {"Content-Type": BINARY, **more}, b"\0" * 16


# --- answers ---


class Line:
    """One connection that sends targets exactly as they are; a browser or a client would tidy them up."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url).netloc
        self._connection = http.client.HTTPConnection(self._address, timeout=30)

    def ask(self, ask: Ask, identity: Mapping[str, str]) -> Answer:
        """Send a question as somebody."""
        try:
            return self._ask(ask, identity)
        except (http.client.HTTPException, ConnectionError):
            self._connection.close()  # kept alive too long, or closed after an error
            return self._ask(ask, identity)

    def _ask(self, ask: Ask, identity: Mapping[str, str]) -> Answer:
        headers = {**ask.headers, **identity, "Host": self._address, "Accept-Encoding": "identity"}
        self._connection.request(ask.method, ask.target, body=ask.body or None, headers=headers)
        response = self._connection.getresponse()
        return Answer(response.status, tuple(response.getheaders()), response.read())

    def close(self) -> None:
        self._connection.close()


def encoded(value: str) -> str:
    """A value as one segment of a path."""
    return quote(value, safe="")


def traversals(target: str) -> list[str]:
    """Ways to ask for a file that lies outside of a folder, each as one would type it into a path."""
    plain = f"../../../../../../../..{target}"
    return [
        plain,
        quote(plain, safe=""),
        quote(plain, safe="/").replace(".", "%2e"),
        quote(quote(plain, safe=""), safe=""),
        plain.replace("../", "..%5c"),
        plain.replace("../", "....//"),
        plain.replace("../", "%c0%ae%c0%ae/"),
        target,
        f"/{target}",
        quote(target, safe=""),
        f"file%3A%2F%2F{target}",
    ]
