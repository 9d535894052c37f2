"""How templates are written."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 160


def test_no_line_of_a_template_is_too_long_to_be_read() -> None:
    templates = [
        path for part in ("host", "addons", "sandbox", "tests") for path in (ROOT / part).rglob("*.html")
    ]
    assert len(templates) > 50
    too_long = [
        f"{path.relative_to(ROOT)}:{number}: {len(line)} characters"
        for path in templates
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > LONGEST
    ]
    assert too_long == []


def test_the_texts_of_every_folder_of_templates_are_translated() -> None:
    named = (ROOT / "babel.cfg").read_text()
    folders = [str(path.relative_to(ROOT)) for path in (ROOT / "host").rglob("templates")]
    assert len(folders) > 10
    left = [one for one in folders if f"[jinja2: {one}/**.html]" not in named]
    assert [one for one in left if not one.startswith("host/templates/")] == []
