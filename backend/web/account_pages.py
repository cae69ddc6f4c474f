"""Signing up, in and out; the account and its tokens."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from backend.accounts import service, sessions, throttle
from backend.accounts.dependencies import (
    CurrentUser,
    OptionalUser,
    PlatformOf,
    anonymous_form,
    client_address,
)
from backend.errors import MoodarenaError
from backend.models.user import User
from backend.platform import Platform
from backend.web.rendering import local_path, page, see

router = APIRouter()

Short = Annotated[str, Form(max_length=300)]
Password = Annotated[str, Form(max_length=2000)]


@router.get("/sign-in")
def sign_in_form(request: Request, user: OptionalUser, next: str = "/") -> Response:
    if user:
        return see(local_path(next))
    return page(request, "sign_in.html", None, next=local_path(next), name="", error=None)


@router.post("/sign-in", dependencies=[Depends(anonymous_form)])
def sign_in(
    request: Request, platform: PlatformOf, name: Short = "", password: Password = "", next: Short = "/"
) -> Response:
    try:
        user = service.authenticate(platform, name, password, client_address(request))
    except MoodarenaError as error:
        return page(
            request, "sign_in.html", None, error.status, next=local_path(next), name=name, error=error
        )
    return _welcome(platform, user, local_path(next))


@router.get("/sign-up")
def sign_up_form(request: Request, user: OptionalUser, next: str = "/") -> Response:
    if user:
        return see(local_path(next))
    return page(request, "sign_up.html", None, next=local_path(next), name="", email="", error=None)


@router.post("/sign-up", dependencies=[Depends(anonymous_form)])
def sign_up(
    request: Request,
    platform: PlatformOf,
    name: Short = "",
    email: Short = "",
    password: Password = "",
    next: Short = "/",
) -> Response:
    try:
        throttle.check_sign_up(platform.limiter, client_address(request))
        with platform.database.write() as session:
            user = service.sign_up(session, name, email, password)
    except MoodarenaError as error:
        typed = {"next": local_path(next), "name": name, "email": email}
        return page(request, "sign_up.html", None, error.status, **typed, error=error)
    return _welcome(platform, user, local_path(next))


def _welcome(platform: Platform, user: User, path: str) -> Response:
    with platform.database.write() as session:
        signed_in = sessions.open_session(session, user, platform.settings)
    response = see(path)
    sessions.set_cookie(response, signed_in, platform.settings)
    return response


@router.post("/sign-out")
def sign_out(request: Request, user: OptionalUser, platform: PlatformOf) -> Response:
    with platform.database.write() as session:
        sessions.close_session(session, request.cookies.get(sessions.COOKIE, ""))
    response = see("/")
    sessions.clear_cookie(response, platform.settings)
    return response


@router.get("/account")
def account(request: Request, user: CurrentUser, platform: PlatformOf) -> Response:
    return _account(request, user, platform)


def _account(
    request: Request,
    user: User,
    platform: Platform,
    error: MoodarenaError | None = None,
    password_error: MoodarenaError | None = None,
    secret: str = "",
) -> Response:
    with platform.database.read() as session:
        tokens = service.tokens_of(session, user)
    problem = error or password_error
    told = {"tokens": tokens, "error": error, "password_error": password_error, "secret": secret}
    return page(request, "account.html", user, problem.status if problem else 200, **told)


@router.post("/account/password")
def change_password(
    request: Request,
    user: CurrentUser,
    platform: PlatformOf,
    password: Password = "",
    new_password: Password = "",
) -> Response:
    try:
        service.change_password(platform, user, password, new_password, client_address(request))
    except MoodarenaError as error:
        return _account(request, user, platform, password_error=error)
    # All sessions ended, this one too: who knew the password begins a new one.
    return _welcome(platform, user, "/account")


@router.post("/account/tokens")
def issue_token(request: Request, user: CurrentUser, platform: PlatformOf, name: Short = "") -> Response:
    try:
        with platform.database.write() as session:
            _, secret = service.issue_token(session, user, name)
    except MoodarenaError as error:
        return _account(request, user, platform, error=error)
    # Not a redirect: the secret is shown this once and must not be in an address.
    return _account(request, user, platform, secret=secret)


@router.post("/account/tokens/{token_id}/revoke")
def revoke_token(token_id: str, user: CurrentUser, platform: PlatformOf) -> Response:
    with platform.database.write() as session:
        service.revoke_token(session, user, token_id)
    return see("/account")
