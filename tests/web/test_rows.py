"""The one table of rows: pages that list things are made of it, without codes or loose separators."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from host.channels.directory import current_directory
from host.inbox.contacts.pages.shown import id_label
from tests.pins.filled import FilledDesk, filled_desk

TABLES = {
    "/w/<int:workspace_id>/contacts": "owner",
    "/w/<int:workspace_id>/settings/audit": "owner",
    "/w/<int:workspace_id>/settings/people": "owner",
    "/admin/people": "admin",
    "/admin/audit": "admin",
    "/w/<int:workspace_id>/assistants": "owner",
    "/w/<int:workspace_id>/settings/teams": "owner",
    "/w/<int:workspace_id>/settings/api": "owner",
    "/w/<int:workspace_id>/settings/integrations": "owner",
    "/admin/workspaces": "admin",
}
"""Pages whose rows are data, so that a heading stands above each column, and who opens them."""
LISTS = {"/w/<int:workspace_id>/settings/channels": "owner", "/admin/addons": "admin"}
"""Pages whose rows say themselves what they are, without headings."""
ROW = re.compile(r'<(tr|article|li) class="item(?! item-head)[ "].*?</\1>', re.S)
CODE = re.compile(r"\b[a-z]+_[a-z_]+\b|\b[a-z]+\.[a-z]+\b")
"""What a program would write: ``instagram_id``, ``account.connected``."""


@pytest.fixture(scope="module")
def desk(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilledDesk]:
    with filled_desk(migrated_file, tmp_path_factory.mktemp("rows")) as desk:
        yield desk


def opened(desk: FilledDesk, rule: str, who: str) -> str:
    address = next(address for found, address in desk.pages() if found == rule)
    answer, _statements = desk.open(who, address)
    assert answer.status_code == 200
    return answer.text


def lines(row: str) -> list[str]:
    """Return what somebody reads in *row*, apart from names: each element that is a line of its own."""
    seen = re.sub(r'<(\w+)[^>]*translate="no"[^>]*>[^<]*</\1>', "name", row)
    seen = re.sub(r'<(form|svg|dl|pre)\b.*?</\1>|<ul class="menu-list.*?</ul>', "", seen, flags=re.S)
    seen = re.sub(r"</?(?:b|i|bdi|time|a|strong)\b[^>]*>", "", seen)
    return [" ".join(unescape(one).split()) for one in re.split(r"<[^>]*>", seen) if one.strip()]


@pytest.mark.parametrize(("rule", "who"), TABLES.items())
def test_each_column_has_a_heading(desk: FilledDesk, rule: str, who: str) -> None:
    page = opened(desk, rule, who)
    (table,) = re.findall(r'<table class="listed.*?</table>', page, re.S)
    headings = [
        re.sub("<[^>]*>", "", one).strip() for one in re.findall(r"<th[^>]*columnheader.*?</th>", table, re.S)
    ]
    assert all(headings)
    rows = [one[0] for one in ROW.finditer(table)]
    assert rows
    for row in rows:
        cells = len(re.findall(r'role="(?:cell|rowheader)"', row)) + row.count('aria-colspan="2"')
        assert cells == len(headings), row


@pytest.mark.parametrize(("rule", "who"), [*TABLES.items(), *LISTS.items()])
def test_rows_say_no_codes_and_have_no_loose_separators(desk: FilledDesk, rule: str, who: str) -> None:
    rows = [one[0] for one in ROW.finditer(opened(desk, rule, who))]
    assert rows
    for row in rows:
        for line in lines(row):
            assert not CODE.search(line), (line, row)
            assert not re.match("·|.*·$", line), (line, row)


def test_each_kind_of_id_has_a_name_on_pages(desk: FilledDesk) -> None:
    with desk.app.test_request_context():
        directory = current_directory()
        named = {one.key: id_label(one.key, directory) for one in directory.adapters}
    assert len(named) > 3
    assert all(label[0].isupper() and "_" not in label for label in named.values()), named


def test_what_would_be_found_is_found() -> None:
    row = '<tr class="item"><td><b translate="no">a_name</b> · <p>member.access_changed</p><p>Open ·</p></tr>'
    assert lines(row) == ["name ·", "member.access_changed", "Open ·"]
    assert all(CODE.search(one) for one in ("Changed instagram_id", "account.connected"))
    assert not CODE.search("Changed Instagram ID at 12:08, 127.0.0.1")
