"""Names of who gets a copy: as they call themselves in the mail that came, and in the one that goes out."""

from __future__ import annotations

import email
import re
from email.policy import default
from html import unescape
from pathlib import Path

from tests.email.test_conversation import Desk, conversations, messages, signed_in, whole

__all__ = ["whole"]

COPIES = '"Lima, Ana" <ana@example.org>, Jörg Öz <joerg@example.org>, bare@example.org'


def test_names_in_cc_are_read_proposed_kept_and_sent(whole: Desk, data: Path) -> None:
    whole.receive(Message_ID="<one@example.org>", Cc=COPIES)
    assert messages()[0].content["cc"] == [
        {"name": "Lima, Ana", "address": "ana@example.org"},
        {"name": "Jörg Öz", "address": "joerg@example.org"},
        {"name": "", "address": "bare@example.org"},
    ]
    (talk,) = conversations()
    agent = signed_in(whole, data)
    path = f"/w/{whole.account.workspace_id}/inbox/{talk.id}"
    field = re.search(r'name="cc" value="([^"]*)"', agent.get(path).text)
    assert field is not None
    proposed = unescape(field[1])
    assert proposed == COPIES
    form = {"text": "Yes, eight.", "reply_key": "k" * 16, "cc": proposed}
    assert agent.post_form(f"{path}/reply", **form).status_code == 303
    whole.work()

    sent = messages()[-1]
    assert sent.content["cc"] == ["ana@example.org", "joerg@example.org", "bare@example.org"]
    assert sent.content["names"] == {"ana@example.org": "Lima, Ana", "joerg@example.org": "Jörg Öz"}
    assert whole.outside.mails[0][1] == ["mia@example.org", *sent.content["cc"]]
    mail = email.message_from_bytes(whole.outside.mails[0][2], policy=default)
    assert [(one.display_name, one.addr_spec) for one in mail["Cc"].addresses] == [
        ("Lima, Ana", "ana@example.org"),
        ("Jörg Öz", "joerg@example.org"),
        ("", "bare@example.org"),
    ]
