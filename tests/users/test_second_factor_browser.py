"""Second factors in a real browser: passkeys by Chromium's virtual authenticator, an app, recovery codes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyotp
import pytest
from playwright.sync_api import Page, expect

from demo.processes import free_port
from host.core import clock, db
from host.models.signing_in import RequirementScope
from host.models.users import Role
from host.users.pages import sudo
from host.users.signin import settings
from host.users.signin.settings import GroupRule
from tests.asking import agree_always
from tests.browser.conftest import look
from tests.helpers import PASSWORD, build_app, do_desk, make_user, make_workspace, serving
from tests.users.test_provider import _nothing_known, honest, person_there, use
from tests.web.conftest import _no_tries_counted

__all__ = ["_no_tries_counted", "_nothing_known", "honest"]

pytestmark = [pytest.mark.browser]


@pytest.fixture
def page(chromium: Any, database: db.Database, data: Path) -> Iterator[Page]:
    """A page of a desk at localhost, where browsers have passkeys."""
    port = free_port()
    app = build_app(data, public_url=f"http://localhost:{port}")
    with serving(app, port):
        context = chromium.new_context(base_url=f"http://localhost:{port}", reduced_motion="reduce")
        found = context.new_page()
        found.troubles = []
        found.on("pageerror", lambda error: found.troubles.append(str(error)))
        agree_always(found)
        found.on(
            "console",
            lambda message: (
                found.troubles.append(message.text) if "Content Security" in message.text else None
            ),
        )
        yield found
        context.close()
    assert found.troubles == []


def device(page: Page, **more: Any) -> tuple[Any, str]:
    """Give the browser a device that holds passkeys and knows its owner's finger."""
    cdp = page.context.new_cdp_session(page)
    cdp.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
        **more,
    }
    return cdp, cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]


def type_password(page: Page, email: str) -> None:
    page.goto("/login")
    page.fill("#email", email)
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(lambda url: not url.endswith("/login"))


@pytest.mark.slow
def test_a_passkey_is_added_and_signs_in_with_and_without_a_password(page: Page) -> None:
    mia = make_user("mia@pottery.example", "Mia R.", workspace=make_workspace())
    cdp, held = device(page)
    type_password(page, mia.email)
    page.goto("/account")
    page.get_by_role("link", name="Set up", exact=True).click()
    look(page, "security-none")
    page.get_by_label("Name of the passkey").fill("Mia’s laptop")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("heading", name="Save these codes")).to_be_visible()
    codes = page.locator(".codes li").all_inner_texts()
    assert len(codes) == 10
    look(page, "recovery-codes")
    page.get_by_role("link", name="I've saved them").click()
    expect(page.get_by_text("Mia’s laptop", exact=True)).to_be_visible()
    look(page, "security")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_text("This device already has a passkey for you.")).to_be_visible()
    made = cdp.send("WebAuthn.getCredentials", {"authenticatorId": held})["credentials"]
    assert [one["rpId"] for one in made] == ["localhost"]
    page.context.clear_cookies()
    type_password(page, mia.email)
    expect(page.get_by_role("heading", name="Confirm your identity")).to_be_visible()
    look(page, "second-passkey")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(lambda url: "/login" not in url)
    page.goto("/account")
    expect(page.get_by_text("by password and a second factor").first).to_be_visible()
    page.context.clear_cookies()
    page.goto("/login?next=/account/security")
    look(page, "login-passkey")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", name="Sign-in and security")).to_be_visible()
    page.goto("/account")
    expect(page.get_by_text("by passkey")).to_be_visible()
    cdp.send("WebAuthn.setUserVerified", {"authenticatorId": held, "isUserVerified": False})
    page.context.clear_cookies()
    page.goto("/login")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_text("The passkey was not used.")).to_be_visible()
    cdp.send("WebAuthn.clearCredentials", {"authenticatorId": held})
    type_password(page, mia.email)
    page.get_by_label("Code").fill(codes[0])
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(lambda url: "/login" not in url)
    page.goto("/account/security")
    expect(page.get_by_text("9 of ten are left.")).to_be_visible()
    page.get_by_text("Rename").click()
    page.get_by_label("Name of the passkey").first.fill("Old laptop")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Old laptop", exact=True)).to_be_visible()
    page.get_by_role("button", name=re.compile("^Remove.*Old laptop")).click()
    expect(page.get_by_text("You don't have a second factor.")).to_be_visible()


@pytest.mark.slow
def test_somebody_who_has_to_is_led_through_an_app(page: Page) -> None:
    mia = make_user("mia@pottery.example", "Mia R.", workspace=make_workspace(), is_admin=True)
    do_desk(settings.save_second_factor, RequirementScope.EVERYBODY)
    type_password(page, mia.email)
    expect(page.get_by_text("Your desk requires a second factor.")).to_be_visible()
    look(page, "security-wanted")
    page.get_by_role("link", name="Set up", exact=True).click()
    look(page, "security-app")
    secret = page.get_by_label("Or enter this key").input_value().replace(" ", "")
    page.get_by_label("Code", exact=True).fill("123")
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_text("This code is not valid now.")).to_be_visible()
    page.get_by_label("Code", exact=True).fill(pyotp.TOTP(secret).at(clock.now()))
    page.get_by_role("button", name="Set up").click()
    page.get_by_role("link", name="I've saved them").click()
    page.wait_for_url(lambda url: "/security" not in url)
    page.goto("/admin/sign-in")
    look(page, "sign-in-settings")
    page.goto("/admin/people")
    look(page, "desk-people-second")
    page.context.clear_cookies()
    type_password(page, mia.email)
    look(page, "second-app")
    with clock.travel(timedelta(seconds=60)):
        page.get_by_label("Code", exact=True).fill(pyotp.TOTP(secret).at(clock.now()))
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.wait_for_url(lambda url: "/login" not in url)


@pytest.mark.slow
def test_the_page_to_sign_in_names_the_provider(page: Page) -> None:
    make_user(is_admin=True)
    do_desk(
        settings.save_provider,
        issuer="https://login.example.com",
        client_id="lobby",
        secret=None,
        keep_secret=False,
        label="Acme",
        passwords=RequirementScope.ADMINS,
        joins=True,
        trusted=False,
        groups_claim="groups",
        groups=[],
    )
    page.goto("/login")
    expect(page.get_by_role("link", name="Sign in with Acme")).to_be_visible()
    look(page, "login-provider")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_somebody_comes_through_the_provider_with_the_role_of_their_group(page: Page, honest: str) -> None:
    make_user(is_admin=True)
    workspace = make_workspace("Pottery")
    use(honest, groups=[GroupRule("leads", workspace_id=workspace, role=Role.LEAD)])
    person_there(
        honest, "sub-kim", email="kim@acme.example", email_verified=True, name="Kim L.", groups=["leads"]
    )
    page.goto("/login?next=/account")
    page.get_by_role("link", name="Sign in with Acme").click()
    page.get_by_placeholder("sub").fill("sub-kim")
    page.get_by_role("button", name="Authorize").click()
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    expect(page.get_by_text("Lead of Pottery")).to_be_visible()
    expect(page.get_by_text("through Acme")).to_be_visible()
    look(page, "account-provider")


@pytest.mark.slow
def test_a_passkey_sends_the_form_that_was_held(page: Page) -> None:
    mia = make_user("mia@pottery.example", "Mia R.", workspace=make_workspace(), role=Role.OWNER)
    device(page)
    type_password(page, mia.email)
    page.goto("/account/security")
    page.get_by_label("Name of the passkey").fill("Mia’s laptop")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("heading", name="Save these codes")).to_be_visible()
    page.goto("/w/1/settings/api")
    page.locator("form:has(input[name=scopes]) input[name=name]").fill("The shop")
    page.locator("input[name=scopes][value=write]").check()
    with clock.travel(sudo.FRESH + timedelta(seconds=1)):
        page.get_by_role("button", name="Create API key").click()
        expect(page.locator("#code-again-form")).to_be_visible()
        look(page, "password-again-ways")
        page.get_by_role("button", name="Use a passkey").click()
        expect(page.get_by_role("heading", name="Confirm that it's you")).to_have_count(0)
        expect(page.get_by_text("The shop").first).to_be_visible()
