"""Accounts and API tokens over HTTP."""

from fastapi import APIRouter, Request, Response

from backend.accounts import schemas, service, throttle
from backend.accounts.dependencies import CurrentUser, PlatformOf, client_address
from backend.paging import After, Limit, Page, page

router = APIRouter(tags=["accounts"])


@router.post("/accounts", status_code=201)
def sign_up(order: schemas.NewAccount, request: Request, platform: PlatformOf) -> schemas.Account:
    """Make an account."""
    throttle.check_sign_up(platform.limiter, client_address(request))
    with platform.database.write() as session:
        user = service.sign_up(session, order.name, order.email, order.password.get_secret_value())
        return schemas.Account.of(user)


@router.get("/me")
def me(user: CurrentUser) -> schemas.Account:
    """Who the server takes you for."""
    return schemas.Account.of(user)


@router.post("/tokens", status_code=201)
def issue_token(order: schemas.NewToken, request: Request, platform: PlatformOf) -> schemas.IssuedToken:
    """Turn name and password into an API token; its secret is shown this once."""
    password, address = order.password.get_secret_value(), client_address(request)
    user = service.authenticate(platform, order.name, password, address)
    with platform.database.write() as session:
        token, secret = service.issue_token(session, user, order.token_name)
        return schemas.IssuedToken(id=token.id, token=secret)


@router.get("/tokens")
def list_tokens(
    user: CurrentUser, platform: PlatformOf, limit: Limit = 100, after: After = ""
) -> Page[schemas.Token]:
    """Your API tokens."""
    with platform.database.read() as session:
        tokens = [schemas.Token.of(token) for token in service.tokens_of(session, user)]
    return page(tokens, lambda token: token.id, limit, after)


@router.delete("/tokens/{token_id}", status_code=204, response_class=Response)
def revoke_token(token_id: str, user: CurrentUser, platform: PlatformOf) -> None:
    """End a token at once."""
    with platform.database.write() as session:
        service.revoke_token(session, user, token_id)
