"""What the toy adds to Lobby's API."""

from __future__ import annotations

from host.sdk.api import ApiCall, ApiRefusalError, ApiRoute, ApiScope, ApiStruct


class Greeting(ApiStruct, frozen=True):
    """A greeting."""

    text: str
    by_key: str


class Name(ApiStruct, frozen=True):
    """Whom to greet."""

    first_name: str


def greet(call: ApiCall) -> Greeting:
    """Greet somebody by name."""
    name = (call.query or call.body).first_name
    if not name:
        raise ApiRefusalError("The name is empty.", field="firstName")
    return Greeting(text=f"Hello {name}!", by_key=call.key)


ROUTES = [
    ApiRoute(
        method="GET",
        path="greeting",
        name="get_greeting",
        summary="Greet",
        run=greet,
        scope=ApiScope.CONTACTS_READ,
        query=Name,
        answer=Greeting,
    ),
    ApiRoute(
        method="POST",
        path="greetings",
        name="create_greeting",
        summary="Greet again",
        run=greet,
        scope=ApiScope.CONTACTS_WRITE,
        body=Name,
        answer=Greeting,
    ),
]
