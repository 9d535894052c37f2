"""Settings -> Channels of a workspace with very many accounts: what a page costs does not depend on it."""

from __future__ import annotations

import html
import re
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.channels.directory import Directory
from host.channels.pages import cards
from host.channels.warnings import raise_warning
from host.core import clock, db
from host.core.backports.values import replace
from host.models.channels import AccountState, ChannelAccount, ref
from host.models.users import Role
from host.sdk.channel import AccountRef
from tests import helpers
from tests.instagram import world
from tests.instagram.world import ADDON, Addon
from tests.web.test_account_picker import counted

MOST_BYTES = 100_000
MOST_STATEMENTS = 36
"""With those that say what uses an account, which the dialog that disconnects it names."""


def fill(ig: Addon, workspace_id: int, count: int, *, own_apps: bool) -> None:
    """Connect *count* accounts, of one Meta app or of an app each; comments stand beside every other one."""

    def row(channel: str, number: int, **more: object) -> ChannelAccount:
        igid, now = str(17_841_400_001_000_000 + number), clock.now()
        return ChannelAccount(
            uuid=str(uuid4()),
            workspace_id=workspace_id,
            channel=channel,
            external_id=igid,
            claim=f"{channel}:{igid}",
            name=f"Shop {number:04}",
            handle=f"@shop.{number:04}",
            way="pasted",
            state=AccountState.CONNECTED,
            settings={},
            created_at=now,
            connected_at=now,
            **more,
        )

    def use_case(session: Session) -> None:
        messages = [row("instagram", number) for number in range(count)]
        session.add_all(messages)
        session.flush()
        for number, home in enumerate(messages):
            app = {"app_id": str(900_000 + number)} if own_apps else {}
            ig.accounts.store(session, ref(home), world.details(ig, home.external_id, **app))
            if number % 2:
                session.add(row("instagram-comments", number, beside_id=home.id))

    db.write(use_case)


class Owner:
    """The owner of a workspace, at Settings -> Channels."""

    def __init__(
        self, ig: Addon, data: Path, workspace_id: int, *, at_once: bool = True, admin: bool = False
    ) -> None:
        self.path = f"/w/{workspace_id}/settings/channels"
        adapters = [ig.channel.InstagramAdapter(), ig.comments.channel.CommentsAdapter()]
        its = [ig.card.CARD, ig.comments.card.CARD]
        if not at_once:
            its = [replace(one, statuses=None) for one in its]
        app = helpers.build_app(
            data, generation=helpers.StandInGeneration(directory=Directory(adapters, its))
        )
        person = helpers.make_user(workspace=workspace_id, role=Role.OWNER, is_admin=admin)
        self.browser = helpers.client_for(app, person)

    def page(self, query: str = "") -> str:
        answer = self.browser.get(f"{self.path}{query}")
        assert answer.status_code == 200
        return html.unescape(answer.get_data(as_text=True))

    def shown(self, query: str = "") -> list[str]:
        """Return the handles of the accounts on a page, in order."""
        return re.findall(
            r'<h3 class="any" id="account-\d+-title" translate="no">(.*?)</h3>', self.page(query)
        )


@pytest.fixture
def workspace_id(desk: db.Database) -> int:
    return world.workspace()


@pytest.mark.parametrize("own_apps", [False, True])
@pytest.mark.parametrize("admin", [False, True])
@pytest.mark.parametrize("count", [200, 2_000])
def test_a_page_costs_the_same_however_many_accounts_there_are(
    ig: Addon, data: Path, workspace_id: int, count: int, own_apps: bool, admin: bool
) -> None:
    fill(ig, workspace_id, count, own_apps=own_apps)
    owner = Owner(ig, data, workspace_id, admin=admin)
    owner.page()
    for query in ("", "?page=7", "?state=waiting", "?q=shop.0199", "?channel=instagram-comments&page=3"):
        with counted() as statements:
            answer = owner.browser.get(f"{owner.path}{query}")
        assert answer.status_code == 200
        assert len(answer.data) < MOST_BYTES, query
        assert len(statements) < MOST_STATEMENTS, (query, len(statements))


def test_every_account_is_on_one_page(ig: Addon, data: Path, workspace_id: int) -> None:
    fill(ig, workspace_id, 40, own_apps=False)
    owner = Owner(ig, data, workspace_id)
    found = [one for number in range(1, 6) for one in owner.shown(f"?page={number}")]
    assert len(found) == 60
    assert len(set(found[:40])) == 40
    assert f"1 to {cards.SIZE} of 60" in owner.page()
    assert "60 accounts" in owner.page()
    assert owner.shown("?page=99") == owner.shown("?page=5")


def test_it_is_searched_and_narrowed_and_the_worst_come_first(
    ig: Addon, data: Path, workspace_id: int
) -> None:
    fill(ig, workspace_id, 40, own_apps=False)
    by_handle = {row.handle: row.id for row in rows() if row.channel == "instagram"}

    def use_case(session: Session) -> None:
        session.get_one(ChannelAccount, by_handle["@shop.0038"]).state = AccountState.NEEDS_RECONNECT
        raise_warning(session, by_handle["@shop.0036"], kind="token-ends", sentence="It ends soon.")
        session.get_one(ChannelAccount, by_handle["@shop.0030"]).last_event_at = clock.now()
        gone = session.get_one(ChannelAccount, by_handle["@shop.0002"])
        gone.state, gone.claim, gone.disconnected_at = AccountState.DISCONNECTED, None, clock.now()

    db.write(use_case)
    owner = Owner(ig, data, workspace_id)
    assert owner.shown()[:2] == ["@shop.0038", "@shop.0036"]
    assert owner.shown("?state=attention") == ["@shop.0038", "@shop.0036"]
    assert owner.shown("?state=receiving") == ["@shop.0030"]
    assert owner.shown("?q=SHOP.0037&channel=instagram") == ["@shop.0037"]
    assert owner.shown("?q=no.such.shop") == []
    assert "No accounts found." in owner.page("?q=no.such.shop")
    assert "@shop.0002" not in owner.shown("?q=shop.0002")
    assert "@shop.0002" in owner.page("?state=disconnected")


def test_the_page_with_an_account_is_found_by_its_id(ig: Addon, data: Path, workspace_id: int) -> None:
    fill(ig, workspace_id, 40, own_apps=False)
    last = next(row for row in rows() if row.handle == "@shop.0039")
    owner = Owner(ig, data, workspace_id)
    assert "@shop.0039" not in owner.shown()
    assert "@shop.0039" in owner.shown(f"?account={last.id}")
    answer = owner.browser.post_form(f"{owner.path}/accounts/{last.id}/actions/verify-token", verify_token="")
    assert answer.location == f"{owner.path}?account={last.id}#account-{last.id}"


def test_the_state_of_many_is_what_it_is_one_by_one(ig: Addon, data: Path, workspace_id: int) -> None:
    fill(ig, workspace_id, 6, own_apps=False)
    accounts = [ref(row) for row in rows()]
    for card in (ig.card.CARD, ig.comments.card.CARD):
        its = [one for one in accounts if one.channel == card.channel]
        assert card.statuses(its) == {one.id: card.status(one) for one in its}
    assert Owner(ig, data, workspace_id, at_once=False).shown() == Owner(ig, data, workspace_id).shown()


def test_an_addon_that_fails_for_many_is_asked_for_each(ig: Addon, workspace_id: int) -> None:
    fill(ig, workspace_id, 2, own_apps=False)

    def fails(_accounts: list[AccountRef]) -> dict[int, object]:
        raise RuntimeError("it cannot")

    its = [row for row in rows() if row.channel == "instagram"]
    found = cards.statuses_of(replace(ig.card.CARD, statuses=fails), its)
    assert found == ig.card.statuses([ref(row) for row in its])


def test_the_overview_of_the_addon_is_paged_and_searched(ig: Addon, data: Path, workspace_id: int) -> None:
    fill(ig, workspace_id, 2_000, own_apps=False)
    generation = helpers.StandInGeneration(
        directory=Directory([ig.channel.InstagramAdapter()], [ig.card.CARD]),
        blueprints=(("instagram", ig.overview.views.bp),),
        template_folders={"instagram": ADDON / "templates"},
        admin_pages={"instagram": ig.overview.views.PAGE},
        manifests={"instagram": ig.release.manifest},
    )
    admin = helpers.client_for(
        helpers.build_app(data, generation=generation), helpers.make_user(is_admin=True)
    )
    here, overview_statements = "/admin/addons/instagram/settings", 44
    for query, shown in (("", 25), ("?page=7", 25), ("?q=SHOP.1999", 2)):
        with counted() as statements:
            answer = admin.get(f"{here}{query}")
        assert answer.get_data(as_text=True).count("@shop.") == shown, query
        assert len(answer.data) < MOST_BYTES
        assert len(statements) < overview_statements
    assert "No accounts found." in admin.get(f"{here}?q=no.such.shop").get_data(as_text=True)


def rows() -> list[ChannelAccount]:
    with db.read() as session:
        return list(session.scalars(sa.select(ChannelAccount).order_by(ChannelAccount.id)))
