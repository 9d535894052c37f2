"""Signing in without a browser: the addon's own functions, and the stand-in's dialogs over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests

from host.channels import connecting
from host.sdk import settings
from host.sdk.cards import Candidate, Connection, SignInChoice, SignInProblem, SignInReturn, SignInStart
from host.sdk.channel import AccountRef
from tests.instagram import world
from tests.instagram.world import POTTERY, POTTERY_PAGE, Addon, Meta

RETURN = "https://desk.example.com/channels/instagram/sign-in/x"


def set_up(ig: Addon, meta: Meta, **more: str) -> None:
    """Let the addon sign people in at the stand-in, with the installation's app."""
    settings.provide(
        "instagram",
        {
            **ig.defaults,
            "graph_facebook_url": f"{meta.server.url}/graph.facebook.com",
            "graph_instagram_url": f"{meta.server.url}/graph.instagram.com",
            "facebook_dialog_url": f"{meta.server.url}/www.facebook.com",
            "instagram_dialog_url": f"{meta.server.url}/www.instagram.com",
            "instagram_token_url": f"{meta.server.url}/api.instagram.com",
            "facebook_app_id": world.APP_ID,
            "facebook_app_secret": world.SECRET,
            "instagram_app_id": world.APP_ID,
            "instagram_app_secret": world.SECRET,
            **more,
        },
    )


def start(way: Any, workspace_id: int, account: AccountRef | None = None, *abilities: str) -> str:
    """Press the button; return the address of the dialog."""
    begun = SignInStart(workspace_id, "the state", RETURN, account, frozenset(abilities))
    address = way.begin(begun)
    assert isinstance(address, str), address
    return address


def asked(address: str) -> dict[str, str]:
    """Return what an address of a dialog asks for."""
    return dict(parse_qsl(urlsplit(address).query))


def allow(address: str, *, without: Sequence[str] = (), page: str = POTTERY_PAGE, igid: str = POTTERY) -> Any:
    """Say yes in the dialog, all but *without*; return what one comes back with."""
    scopes = [name for name in asked(address)["scope"].split(",") if name not in without]
    form = {"decision": "allow", "scope": scopes, "page": [page], "account": igid}
    answer = requests.post(address, data=form, timeout=10, allow_redirects=False)
    assert answer.status_code == 302, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


def finish(
    way: Any, workspace_id: int, values: Any, account: AccountRef | None = None, *abilities: str
) -> Sequence[Candidate] | SignInProblem:
    found: Sequence[Candidate] | SignInProblem = way.finish(
        SignInReturn(workspace_id, RETURN, values, account, frozenset(abilities))
    )
    return found


def connect(
    way: Any, workspace_id: int, candidate: Candidate, account: AccountRef | None = None, *abilities: str
) -> AccountRef:
    """Choose *candidate*; return the account as it was written."""
    choice = SignInChoice(workspace_id, candidate, account, lambda _: None, frozenset(abilities))
    connection = way.connect(choice)
    assert isinstance(connection, Connection), connection
    return connecting.save(
        workspace_id=workspace_id,
        channel="instagram",
        connection=connection,
        account_id=None if account is None else account.id,
    )


def connected_without(
    way: Any, workspace_id: int, account: AccountRef | None = None, *, without: Sequence[str]
) -> Connection:
    """Go there and back without some permissions and connect the sample pottery; return the connection."""
    found = finish(way, workspace_id, allow(start(way, workspace_id, account), without=without), account)
    assert not isinstance(found, SignInProblem), found
    (candidate,) = [one for one in found if one.external_id == POTTERY]
    connection = way.connect(SignInChoice(workspace_id, candidate, account, lambda _: None, frozenset()))
    assert isinstance(connection, Connection), connection
    account_id = None if account is None else account.id
    connecting.save(
        workspace_id=workspace_id, channel="instagram", connection=connection, account_id=account_id
    )
    return connection


def journey(
    way: Any,
    workspace_id: int,
    account: AccountRef | None = None,
    *abilities: str,
    without: Sequence[str] = (),
) -> AccountRef | SignInProblem:
    """Go there and back and connect the sample pottery; return the account, or why it was not connected."""
    values = allow(start(way, workspace_id, account, *abilities), without=without)
    found = finish(way, workspace_id, values, account, *abilities)
    if isinstance(found, SignInProblem):
        return found
    (candidate,) = [one for one in found if one.external_id == POTTERY]
    return connect(way, workspace_id, candidate, account, *abilities)
