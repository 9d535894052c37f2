"""Mails with the mistakes that programs make: each is read as other mail programs read it.

Each file of ``corpus/`` is written from the published formats and has one mistake, named by the file;
``expected.json`` says how it is read. Line ends are those of the file system, and CRLF on the way.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from host.sdk.messages import AttachmentRole
from tests.email.test_parsing import HEAD, read

CORPUS = Path(__file__).parent / "corpus"
EXPECTED: dict[str, dict[str, Any]] = json.loads((CORPUS / "expected.json").read_text("utf-8"))


def test_each_mail_is_expected_and_each_expected_is_there() -> None:
    assert sorted(path.stem for path in CORPUS.glob("*.eml")) == sorted(EXPECTED)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_it_is_read_as_other_programs_read_it(name: str) -> None:
    raw = re.sub(rb"(?<!\r)\n", b"\r\n", (CORPUS / f"{name}.eml").read_bytes())
    got = read(HEAD + raw)
    files = {
        file.name: (file.content or b"").decode("utf-8", "replace")
        for file in got.attachments
        if file.role is not AttachmentRole.FORMATTED
    }
    shown = {
        "contact": got.contact,
        "name": got.contact_name,
        "subject": got.subject,
        "text": got.text,
        "files": files,
    }
    expected = {"files": {}, **EXPECTED[name]}
    assert {key: shown[key] for key in expected} == expected
