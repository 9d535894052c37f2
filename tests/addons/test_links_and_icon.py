"""Addresses and the icon of an addon: in its manifest, in its zip, on its card and in its report."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.addons import lifecycle
from host.addons.package import checking, manifest
from host.addons.package.archive import ArchiveError
from host.addons.package.manifest import ManifestError
from host.process.serving import HostApplication
from tests.addons.conftest import TOY, Admin, MakeZip

BASE = (TOY / "addon.toml").read_text()
SVG = '<?xml version="1.0"?>\n<!-- a bird -->\n<svg xmlns="http://www.w3.org/2000/svg"/>'
LINKS = """homepage = "https://toy.example"
changelog = "https://toy.example/changes?from=1&to=2"
issues = "https://toy.example/issues"
icon = "static/icon.svg"
"""


def with_links(text: str) -> str:
    return LINKS + text


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('homepage = "http://toy.example"', "homepage must be an https:// address"),
        ('changelog = "javascript:alert(1)"', "changelog must be an https:// address"),
        ('issues = "https://user:pass@toy.example"', "issues must be an https:// address"),
        ('issues = "https://[x"', "issues must be an https:// address"),
        (f'homepage = "https://toy.example/{"x" * 300}"', "homepage must be an https:// address"),
        ('icon = "templates/icon.svg"', "icon 'templates/icon.svg' must be an SVG or PNG in static/"),
        ('icon = "static/../icon.svg"', "must be an SVG or PNG in static/"),
        ('icon = "static/icon.gif"', "must be an SVG or PNG in static/"),
    ],
)
def test_a_wrong_value_is_refused_with_one_sentence(line: str, why: str) -> None:
    with pytest.raises(ManifestError) as refused:
        manifest.parse(f"{line}\n{BASE}".encode())
    (sentence,) = refused.value.problems
    assert why in sentence


def test_they_are_optional_and_stored_only_where_given() -> None:
    plain = manifest.to_dict(manifest.parse(BASE.encode()))
    assert not set(manifest.OPTIONAL) & set(plain), "a Lobby that does not know them reads it"
    found = manifest.parse(with_links(BASE).encode())
    assert manifest.from_dict(manifest.to_dict(found)) == found
    assert found.changelog == "https://toy.example/changes?from=1&to=2"


@pytest.mark.parametrize(
    ("icon", "why"),
    [
        (None, "The icon static/icon.svg is missing."),
        ("<html><svg/></html>", "The icon static/icon.svg is not the picture its name says."),
        (SVG + " " * 70_000, "The icon static/icon.svg is larger than 64 KB."),
    ],
)
def test_an_icon_that_cannot_be_shown_is_refused(toy_zip: MakeZip, icon: str | None, why: str) -> None:
    changes = {"addon.toml": with_links} | ({"static/icon.svg": icon} if icon is not None else {})
    with pytest.raises(ArchiveError) as refused:
        checking.check(Path(toy_zip(changes)))
    assert why in refused.value.problems


def test_card_and_report_show_them(desk: HostApplication, toy_zip: MakeZip) -> None:
    admin = Admin(desk)
    release = lifecycle.install_file(desk.config, toy_zip({"addon.toml": with_links, "static/icon.svg": SVG}))
    report = admin.get(f"/admin/addons/uploads/{release.id}").text
    lifecycle.activate(desk.config, "toy", host=desk)
    for page in (report, admin.get("/admin/addons").text):
        assert 'href="https://toy.example/changes?from=1&amp;to=2"' in page
        assert page.count("toy.example/issues") == 1
        assert '<img class="addon-mark" src="data:image/svg+xml;base64,' in page
        assert "<svg xmlns=" not in page.partition("toy.example/issues")[0][-400:], (
            "it is never part of the page"
        )


def test_without_them_there_is_the_mark(desk: HostApplication, toy_zip: MakeZip) -> None:
    admin = Admin(desk)
    lifecycle.install_file(desk.config, toy_zip({}))
    page = admin.get("/admin/addons").text
    assert '<img class="addon-mark"' not in page
    assert "Report a problem" not in page
