"""How templates are written."""

from __future__ import annotations

from pathlib import Path

from babel.messages.frontend import parse_mapping_cfg
from babel.util import pathmatch

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
    with (ROOT / "babel.cfg").open() as file:
        methods, _options = parse_mapping_cfg(file)
    patterns = [pattern for pattern, method in methods if method == "jinja2"]
    pages = [path.relative_to(ROOT).as_posix() for path in (ROOT / "host").rglob("templates/**/*.html")]
    assert len(pages) > 200
    assert [one for one in pages if not any(pathmatch(pattern, one) for pattern in patterns)] == []
