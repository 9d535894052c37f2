"""Warnings about accounts: each is told once to those who can do something, in the desk and by mail."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.channels import warnings
from host.channels.accounts import disconnect_account
from host.core import clock, db, mail
from host.core.config import ConfigError
from host.models.channels import AccountWarning
from host.models.notifications import Notification
from host.models.users import Role, User
from host.notifications import mail as notice_mail
from host.notifications import notify
from host.sdk.accounts import clear_warning, mark_needs_reconnect, overview, warn
from host.sdk.channel import AccountRef
from tests.channels.conftest import Desk
from tests.channels.toy import ToyProvider
from tests.helpers import join, make_config, make_user, make_workspace

ENDS = "The token expires on %(date)s."


@pytest.fixture
def account(desk: Desk) -> AccountRef:
    return desk.connect()


def raise_it(account: AccountRef, stage: str = "14", **more: Any) -> bool:
    step = "Reconnect it before that."
    return warn(account.id, "ends", ENDS, next_step=step, details={"date": "1 May"}, stage=stage, **more)


def told() -> list[tuple[int, str]]:
    """Return who was told what, in order."""
    with db.read() as session:
        rows = session.scalars(sa.select(Notification).order_by(Notification.id))
        return [(row.user_id, row.sentence % row.details) for row in rows]


def test_owners_and_admins_are_told_once_and_nobody_else(desk: Desk, account: AccountRef) -> None:
    admin = make_user(is_admin=True)
    make_user(workspace=desk.workspace)  # an agent
    make_user(workspace=make_workspace("Studio"), role=Role.OWNER)
    gone = make_user(workspace=desk.workspace, role=Role.OWNER)
    db.write(lambda session: setattr(session.get(User, gone.id), "disabled_at", clock.now()))
    assert raise_it(account)
    assert not raise_it(account)
    assert sorted(told()) == [(user.id, "The token expires on 1 May.") for user in (desk.owner, admin)]


def test_an_owner_who_is_an_admin_too_is_told_once(desk: Desk, account: AccountRef) -> None:
    both = make_user(is_admin=True)
    join(desk.workspace, both, Role.OWNER)
    raise_it(account)
    assert [user for user, _ in told()].count(both.id) == 1


def test_each_stage_is_told_and_what_came_back_is_told_anew(desk: Desk, account: AccountRef) -> None:
    assert [raise_it(account, stage) for stage in ("14", "14", "7", "7", "3", "1", "1")] == [
        *(True, False, True, False, True, True, False)
    ]
    (found,) = overview("toy")
    assert [one.stage for one in found.warnings] == ["1"]
    clear_warning(account.id, "ends")
    clear_warning(account.id, "ends")
    assert overview("toy")[0].warnings == ()
    assert raise_it(account, "1")


def test_a_card_says_the_worst_first_and_that_it_receives_one_press_away(
    desk: Desk, account: AccountRef
) -> None:
    raise_it(account)
    warn(account.id, "quality", "Nobody trusts it.", next_step="Be kind.", bad=True)
    page = desk.client().get(desk.path).get_data(as_text=True)
    state, _, folded = page.partition('<div class="item-state">')[2].partition("<details")
    assert [one in state for one in ("say-bad", "Nobody trusts it.", "Be kind.")] == [True] * 3
    assert [one in state for one in ("expires on 1 May", "Connected")] == [False] * 2
    folded = folded.partition("</details>")[0]
    assert "2 more issues" in folded, "and that of the addon"
    assert "The token expires on 1 May." in folded
    assert re.search(r'class="say say-(good|idle)">.*Connected', folded, re.S), (
        "not in the colour of a problem"
    )


def test_warnings_end_with_the_connection_they_are_about(desk: Desk, account: AccountRef) -> None:
    raise_it(account)
    desk.connect(renewed=False)
    assert overview("toy")[0].warnings, "nothing was asked of the provider"
    desk.connect()
    assert not overview("toy")[0].warnings
    raise_it(account)
    db.write(disconnect_account, account.id)
    with db.read() as session:
        assert list(session.scalars(sa.select(AccountWarning))) == []
    assert not raise_it(account), "nothing is looked after any more"


def test_that_an_account_cannot_send_is_told_once(desk: Desk, account: AccountRef) -> None:
    for _ in range(2):
        mark_needs_reconnect(account.id, "The password was changed.")
    assert told() == [(desk.owner.id, "The password was changed.")]


def test_what_was_told_is_read_once_it_sends_again_or_is_gone(desk: Desk, account: AccountRef) -> None:
    def unread() -> list[str]:
        with db.read() as session:
            query = sa.select(Notification.sentence).where(Notification.read_at.is_(None))
            return list(session.scalars(query))

    mark_needs_reconnect(account.id, "The password was changed.")
    assert unread() == ["The password was changed."]
    desk.connect(handle="@renamed")
    assert unread() == []
    mark_needs_reconnect(account.id, "")
    assert len(unread()) == 1
    db.write(disconnect_account, account.id)
    assert unread() == []


@pytest.fixture
def any_account(any_database: db.Database) -> tuple[AccountRef, User]:
    from host.channels import connecting

    workspace = make_workspace("Pottery")
    owner = make_user(workspace=workspace, role=Role.OWNER)
    connection = ToyProvider().connection("17")
    return connecting.save(workspace_id=workspace, channel="toy", connection=connection), owner


def at_once(work: Any, count: int = 6) -> None:
    """Run *work* in several threads that begin together."""
    start = threading.Barrier(count)
    failed: list[Exception] = []

    def run() -> None:
        start.wait(timeout=20)
        try:
            work()
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not be lost with the thread
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert failed == []


def test_several_who_notice_at_once_tell_it_once(any_account: tuple[AccountRef, User]) -> None:
    account, owner = any_account
    for stage in ("14", "7"):
        at_once(lambda stage=stage: raise_it(account, stage))  # type: ignore[misc]
    at_once(lambda: mark_needs_reconnect(account.id, "It is gone."))
    once = ["The token expires on 1 May.", "The token expires on 1 May.", "It is gone."]
    assert told() == [(owner.id, sentence) for sentence in once]


# In the desk


def test_the_card_shows_what_stands(desk: Desk, account: AccountRef) -> None:
    raise_it(account)
    page = desk.client().get(desk.path).text
    assert "The token expires on 1 May." in page
    assert "Reconnect it before that." in page
    clear_warning(account.id, "ends")
    assert "The token expires" not in desk.client().get(desk.path).text


def test_the_bell_counts_and_leads_to_what_was_told(desk: Desk, account: AccountRef) -> None:
    client = desk.client()
    assert 'aria-label="Notifications, ' not in client.get(desk.path).text
    raise_it(account)
    raise_it(account, "7")
    assert "Notifications, 2 new" in client.get(desk.path).text
    page = client.get("/notifications").text
    assert page.count("The token expires on 1 May.") == 2
    assert f'href="/w/{desk.workspace}/settings/channels?account={account.id}#account-{account.id}"' in page
    assert client.post_form("/notifications/read").status_code == 303
    assert "Mark all as read" not in client.get("/notifications").text
    assert 'aria-label="Notifications, ' not in client.get(desk.path).text


def test_reading_is_ones_own_affair(desk: Desk, account: AccountRef) -> None:
    other = make_user(workspace=desk.workspace, role=Role.OWNER)
    raise_it(account)
    desk.client().post_form("/notifications/read")
    assert "Notifications, 1 new" in desk.client(other).get("/notifications").text


def test_who_left_a_workspace_sees_nothing_of_it(desk: Desk, account: AccountRef) -> None:
    from host.models.users import Membership

    make_user(workspace=desk.workspace, role=Role.OWNER)
    raise_it(account)
    client = desk.client()
    db.write(
        lambda session: session.execute(sa.delete(Membership).where(Membership.user_id == desk.owner.id))
    )
    page = client.get("/notifications").text
    assert account.handle not in page
    assert 'aria-label="Notifications, ' not in page


def test_what_is_told_is_text_whatever_it_holds(desk: Desk, account: AccountRef) -> None:
    warn(account.id, "odd", "It said: %(words)s", details={"words": "<script>alert(1)</script> 100%"})
    for page in (desk.client().get(desk.path).text, desk.client().get("/notifications").text):
        assert "<script>alert(1)" not in page
        assert "100%" in page


# By mail


class Mailbox:
    """What the operator's server was given, and what it answers."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.problem: Exception | None = None

    def send(self, _server: mail.Server, message: EmailMessage) -> None:
        if self.problem is not None:
            raise self.problem
        self.taken.append(message)


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Mailbox]:
    found = Mailbox()
    monkeypatch.setattr(mail, "send", found.send)
    url = "smtp://desk:top%20secret@mail.example.com:587"
    notice_mail.use(make_config(tmp_path, mail_server=url, public_url="https://desk.example.com"))
    yield found
    notice_mail.use(make_config(tmp_path))


def test_a_mail_says_what_to_do_and_leads_there(desk: Desk, account: AccountRef, mailbox: Mailbox) -> None:
    raise_it(account)
    assert notice_mail.send_due() == 1
    (sent,) = mailbox.taken
    assert sent["To"] == desk.owner.email
    assert sent["From"] == "lobby@desk.example.com"
    assert sent["Subject"] == "@17: The token expires on 1 May."
    assert sent["Auto-Submitted"] == "auto-generated"
    text = sent.get_content()
    assert "Reconnect it before that." in text
    assert (
        f"https://desk.example.com/w/{desk.workspace}/settings/channels?account={account.id}#account-{account.id}"
        in text
    )
    assert "top secret" not in sent.as_string()


def test_a_mail_speaks_the_language_of_who_reads_it(
    desk: Desk, account: AccountRef, mailbox: Mailbox
) -> None:
    german = sa.update(User).where(User.id == desk.owner.id).values(locale="de")
    db.write(lambda session: session.execute(german) and None)
    mark_needs_reconnect(account.id, warnings.CANNOT_SEND)
    assert notice_mail.send_due() == 1
    (sent,) = mailbox.taken
    assert "Die Zugangsdaten sind nicht mehr gültig" in sent["Subject"]


def test_a_day_is_written_in_the_language_of_who_reads_it(
    desk: Desk, account: AccountRef, mailbox: Mailbox
) -> None:
    german = sa.update(User).where(User.id == desk.owner.id).values(locale="de")
    db.write(lambda session: session.execute(german) and None)
    warn(account.id, "token-ends", ENDS, details={"date": datetime(2027, 5, 1, 22, tzinfo=UTC)})
    assert notice_mail.send_due() == 1
    (sent,) = mailbox.taken
    assert sent["Subject"] == "@17: The token expires on 01.05.2027.", "the addon is not here, nor its German"
    with db.read() as session:
        (stored,) = session.scalars(sa.select(Notification.details))
    assert notify.translated(ENDS, stored) == "The token expires on May 1, 2027."
    assert notify.translated("%(date)s", {"date": "1 May"}) == "1 May"


def test_several_processes_mail_it_once(any_account: tuple[AccountRef, User], mailbox: Mailbox) -> None:
    raise_it(any_account[0])
    at_once(notice_mail.send_due)
    assert len(mailbox.taken) == 1
    with clock.travel(timedelta(days=1)):
        assert notice_mail.send_due() == 0, "nor after a restart"


def test_a_server_that_does_not_take_it_is_asked_again_later(
    desk: Desk, account: AccountRef, mailbox: Mailbox
) -> None:
    raise_it(account)
    mailbox.problem = mail.NotSentError("SMTPConnectError 421")
    assert notice_mail.send_due() == 0
    mailbox.problem = None
    assert notice_mail.send_due() == 0, "not at once"
    with clock.travel(timedelta(minutes=2)):
        assert notice_mail.send_due() == 1
        assert notice_mail.send_due() == 0


@pytest.mark.parametrize("problem", [mail.UnconfirmedError("reset"), RuntimeError("died")])
def test_what_may_have_been_taken_is_not_sent_again(
    desk: Desk, account: AccountRef, mailbox: Mailbox, problem: Exception
) -> None:
    raise_it(account)
    mailbox.problem = problem
    assert notice_mail.send_due() == 0
    mailbox.problem = None
    with clock.travel(timedelta(hours=5)):
        assert notice_mail.send_due() == 0


def waiting_mails() -> int:
    with db.read() as session:
        return notice_mail.waiting(session)


def test_old_news_is_not_mailed_and_without_a_server_nothing_is(
    desk: Desk, account: AccountRef, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    raise_it(account)
    notice_mail.use(make_config(tmp_path))
    assert notice_mail.send_due() == 0
    assert waiting_mails() == 1
    notice_mail.use(make_config(tmp_path, mail_server="smtp://mail.example.com"))
    with clock.travel(timedelta(days=3)):
        assert notice_mail.send_due() == 0
        assert waiting_mails() == 0, "it is let be"
    assert notice_mail.send_due() == 1
    assert waiting_mails() == 0


def test_a_line_break_in_what_is_told_makes_no_header(
    desk: Desk, account: AccountRef, mailbox: Mailbox
) -> None:
    warn(account.id, "odd", "It said: %(words)s", details={"words": "a\r\nBcc: everybody@example.com"})
    notice_mail.send_due()
    (sent,) = mailbox.taken
    assert sent["Bcc"] is None
    assert sent["Subject"] == "@17: It said: a Bcc: everybody@example.com"


# The settings


@pytest.mark.parametrize(
    "url", ["mail.example.com", "http://mail.example.com", "smtp://", "smtp://user@host", "smtp://h:99999"]
)
def test_a_mail_server_that_cannot_be_one_is_refused_without_being_told(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="LOBBY_MAIL_SERVER cannot be used: must look like") as caught:
        make_config(tmp_path, mail_server=url)
    assert url not in str(caught.value).replace("smtp://host:25", "")


def test_the_address_is_made_of_the_desks_unless_one_is_given(tmp_path: Path) -> None:
    given = make_config(
        tmp_path, mail_server="smtps://a%40b:p%2Fw@mail.example.com", mail_from="desk@example.com"
    )
    server = mail.server_of(given)
    assert server is not None
    assert (server.port, server.tls, server.user, server.sender) == (465, True, "a@b", "desk@example.com")
    assert server.password.reveal() == "p/w"
    assert "p/w" not in repr(server)
    with pytest.raises(ConfigError, match="LOBBY_MAIL_FROM"):
        make_config(tmp_path, mail_from="nobody")
