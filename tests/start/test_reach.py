"""What the first steps say about the way from the providers, before an account is connected."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markupsafe import Markup

from host.core import clock, db
from host.models.queue import InboundRequest
from host.models.users import Role
from host.start import reach
from host.start.reach import Reason
from tests.helpers import ORIGIN, build_app, client_for, make_user, make_workspace
from tests.inbox import toys

OUTSIDE = "https://desk.example.com"
SANDBOX = "http://127.0.0.1:9443"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:8080", Reason.THIS_COMPUTER),
        ("http://localhost:8080", Reason.THIS_COMPUTER),
        ("https://desk.localhost", Reason.THIS_COMPUTER),
        ("https://[::1]", Reason.THIS_COMPUTER),
        ("https://0.0.0.0", Reason.THIS_COMPUTER),
        ("http://192.168.1.20", Reason.PRIVATE),
        ("https://10.1.2.3", Reason.PRIVATE),
        ("https://169.254.7.7", Reason.PRIVATE),
        ("https://[fe80::1]", Reason.PRIVATE),
        ("https://[fd00::1]", Reason.PRIVATE),
        ("https://desk.local", Reason.PRIVATE),
        ("https://desk", Reason.PRIVATE),
        ("http://desk.example.com", Reason.NO_HTTPS),
        ("http://8.8.8.8", Reason.NO_HTTPS),
        (OUTSIDE, None),
        ("https://8.8.8.8:8443", None),
    ],
)
def test_why_no_provider_reaches_an_address(url: str, reason: Reason | None) -> None:
    assert reach.reason(url) is reason


@pytest.fixture
def workspace(database: db.Database) -> int:
    return make_workspace(leads=True)


def banner(data: Path, workspace: int, *, admin: bool = True, **environment: str) -> str:
    """Return what the list says about the way from the providers, as one line of text with addresses."""
    owner = make_user(workspace=workspace, role=Role.OWNER, is_admin=admin)
    app = build_app(data, **environment)
    signed_in = client_for(app, owner)
    name = app.config["SESSION_COOKIE_NAME"]
    cookie = signed_in.get_cookie(name)
    assert cookie is not None
    # As a browser at the desk's own address.
    headers = {"Cookie": f"{name}={cookie.value}"}
    address = environment.get("public_url", ORIGIN)
    answer = app.test_client(use_cookies=False).get(
        f"/w/{workspace}/start", base_url=address, headers=headers
    )
    assert answer.status_code == 200
    page = answer.get_data(as_text=True)
    found = re.search(
        r"<div class=\"st-reach\" data-reach>(.*?)</div>\s*<ol class=\"st-list\"", page, re.DOTALL
    )
    assert found
    linked = re.sub(r'(?:href|value)="([^"]*)"', r">\1 <", found[1])
    return " ".join(str(Markup(linked).striptags()).split())


def received(source: str, number: int = 1) -> None:
    row = InboundRequest(id=number, source=source, received_at=clock.now(), remote="", body=b"{}")
    db.write(lambda session: session.add(row))


def test_an_address_of_this_computer_is_said_with_both_ways_out(data: Path, workspace: int) -> None:
    said = banner(data, workspace)
    assert (
        "No provider can reach this desk yet. Only this computer can open its address: http://127.0.0.1:8080."
        in said
    )
    assert "public https address: Instagram Direct, Telegram, WhatsApp." in said
    assert "These work without one: " in said
    assert "-m sandbox" in said
    assert "lobby run --sandbox" in said
    assert "/admin/desk#address Enter the address" in said


def test_commands_of_the_checkout_are_offered_only_where_it_is_there(
    data: Path, workspace: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in reach.commands():
        assert Path(__file__).parents[2].joinpath(command.split()[0]).exists(), "it can be run as it is shown"
    monkeypatch.setattr(reach, "CHECKOUT", data)
    said = banner(data, workspace)
    assert "lobby run --sandbox" not in said
    assert "make demo" in said


def test_who_is_no_admin_is_told_whom_to_ask(data: Path, workspace: int) -> None:
    said = banner(data, workspace, admin=False)
    assert "No provider can reach this desk yet." in said
    assert "Ask an admin to give Lobby a public https address." in said
    assert "/admin/" not in said
    assert "--sandbox" not in said


def test_an_address_from_the_environment_has_no_button_that_cannot_change_it(
    data: Path, workspace: int
) -> None:
    said = banner(data, workspace, public_url="http://desk.example.com")
    assert "Its address isn’t https: http://desk.example.com." in said
    assert "set LOBBY_PUBLIC_URL" in said
    assert "/admin/desk" not in said


def test_a_public_address_is_not_called_reachable_before_something_arrived(
    data: Path, workspace: int
) -> None:
    said = banner(data, workspace, public_url=OUTSIDE)
    assert "Lobby has a public https address. https://desk.example.com" in said
    assert "No provider has delivered anything yet" in said
    received("receiver:imap")
    assert "No provider has delivered anything yet" in banner(data, workspace, public_url=OUTSIDE)
    received("telegram/webhook", 2)
    said = banner(data, workspace, public_url=OUTSIDE)
    assert "Providers reach this desk. https://desk.example.com" in said
    assert "No provider" not in said


def test_a_desk_on_the_sandbox_leads_there(data: Path, workspace: int) -> None:
    own = {"sandbox": SANDBOX, "addon_whatsapp_graph_url": f"{SANDBOX}/graph"}
    said = banner(data, workspace, **own)
    assert "The sandbox plays the providers. These are played: WhatsApp." in said
    assert "These still need a public https address: Instagram Direct, Telegram." in said
    assert f"{SANDBOX} Open the sandbox" in said
    said = banner(data, workspace, **own, public_url="http://192.168.1.20")
    assert "Open the sandbox" not in said, "another computer can't open a loopback address"
    assert f"It runs on the computer that runs Lobby: {SANDBOX}" in said


def test_channels_that_fetch_their_messages_are_not_hindered(data: Path, workspace: int) -> None:
    assert banner(data, workspace)
    toys.make_account(workspace)
    assert banner(data, workspace) == "", "an account of a channel that isn't sent to this address"


def test_steps_of_a_channel_that_is_cut_off_say_so(data: Path, workspace: int) -> None:
    owner = make_user(workspace=workspace, role=Role.OWNER, is_admin=True)
    browser = client_for(build_app(data), owner)
    toys.make_account(workspace, channel="telegram")
    page = browser.get(f"/w/{workspace}/start").get_data(as_text=True)
    assert "Telegram can’t send messages to this desk yet." in page
