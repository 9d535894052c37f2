"""An addon whose every word is markup: pages show it as text, in each language."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.addons import lifecycle
from host.core import db
from host.models.channels import ChannelAccount
from host.models.inbox import Message
from host.models.users import User
from host.process.serving import HostApplication
from tests.addons.conftest import Admin, MakeZip
from tests.addons.test_report_sections import Reports

BAD = '\\"><img src=x onerror=alert(1)>'
FORMS = f"""
[settings.workspace.address]
type = "choice"
label = "{BAD}"
help = "{BAD}"
choices = [{{ value = "eu", label = "{BAD}" }}]

[settings.desk.greeting_line]
type = "text"
label = "{BAD}"
help = "{BAD}"
"""
SAID = {
    "toy/panels.py": (
        "Things",
        "Greet by name",
        "Order 1001",
        "2 cups",
        "paid",
        "Insert",
        "Reached at",
        "Counted.",
    ),
    "toy/reports.py": ("Numbers of the toy", "Conversations", "Still open", "By status"),
    "toy/rules.py": (
        "40 letters or more",
        "they wrote",
        "say thank you",
        "Opening times",
        "When they say goodbye.",
    ),
    "toy/connect.py": ("Messages of the toy provider.", "Handle", "Secret", "Its page"),
    "toy/channel.py": ("Toy", "The toy's day is over."),
    "toy/addon.py": ("Toy channel",),
}
"""What each file of the toy says to people."""
WRONG = re.compile(r"<img[^>]*onerror")


def hostile(text: str, words: tuple[str, ...]) -> str:
    for one in words:
        assert f'"{one}"' in text, one
        text = text.replace(f'"{one}"', f'"{BAD}"')
    return text


def _told(text: str) -> str:
    return re.sub(
        r'^(name|publisher|description) = ".*"$', lambda one: f'{one[1]} = "{BAD}"', text, flags=re.M
    )


@pytest.mark.slow
def test_no_word_of_an_addon_becomes_an_element(desk: HostApplication, toy_zip: MakeZip) -> None:
    admin = Admin(desk)
    changes = {name: lambda text, said=said: hostile(text, said) for name, said in SAID.items()}
    changes["addon.toml"] = lambda text: _told(text) + FORMS
    lifecycle.install_file(desk.config, toy_zip(changes))
    outcome = lifecycle.activate(desk.config, "toy", host=desk)
    assert outcome.ok, outcome.error
    desk.start()
    one = Reports(desk, admin)
    bad = BAD.replace("\\", "")
    problem = {"sentence": bad, "next_step": bad, "cause": bad, "code": bad, "raw": bad}

    def spoil(session: Session, language: str, state: str) -> None:
        session.execute(sa.update(User).values(locale=language))
        session.execute(
            sa.update(ChannelAccount).values(
                name=bad, handle=bad, state=state, state_reason=bad, blocked_reason=bad
            )
        )
        session.execute(sa.update(Message).values(direction="outbound", state="failed", error=problem))

    settings = f"/w/{one.workspace}/settings"
    pages = [
        *(one.beside, one.contact, f"/w/{one.workspace}/reports", "/admin/addons", "/admin/hooks"),
        *("/admin/addons/toy/settings", "/admin/addons/toy/server-settings", "/admin/addons/toy/uninstall"),
        *(
            f"{settings}/channels",
            f"{settings}/channels/toy/connect",
            f"{settings}/addons",
            f"{settings}/addons/toy",
        ),
        *(f"{settings}/automation", f"/w/{one.workspace}/settings/rules/new"),
    ]
    seen: dict[str, int] = {}
    for language in ("en", "de"):
        for state in ("connected", "disconnected", "needs_reconnect"):
            db.write(spoil, language, state)
            for page in pages:
                answer = admin.get(page)
                assert answer.status_code == 200, page
                seen[page] = seen.get(page, 0) + answer.text.count("onerror=alert")
                assert not WRONG.search(answer.text), page
        for part in (f"{one.beside}/panels/toy.things", f"{one.page}/sections/toy.numbers"):
            html = admin.client.get(part, headers={"Accept": "application/json"}).json["html"]
            seen[part] = html.count("onerror=alert")
            assert not WRONG.search(html), part
    assert all(seen.values()), seen
