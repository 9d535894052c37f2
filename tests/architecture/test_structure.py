"""The plan of host/ is kept, and what holds it to the plan finds what it looks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import structure
from tools.structure import Rules, When

ROOT = Path(__file__).resolve().parents[2]
RULES = structure.read_rules(ROOT / "tools/structure.toml")
RULE = Rules((("host.low",), ("host.high", "host.low.top")), ("", ""), frozenset(), frozenset(), 0, {"*": 2})


def made(root: Path, **files: str) -> structure.Structure:
    """Return the structure of a package of *files*, by dotted name with ``__`` for the dot."""
    for name, text in files.items():
        path = root / "host" / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(text)
    (root / "host/__init__.py").touch()
    return structure.read_structure(root)


def test_the_plan_is_kept() -> None:
    found = structure.read_structure(ROOT)
    assert len(found.modules) > 300
    assert structure.problems(found, RULES) == []


def test_the_page_shows_the_plan() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    shown = page.split("<!-- layers -->")[1].split("<!-- /layers -->")[0].strip()
    assert shown == structure.markdown(RULES)


def test_exceptions_stay_few() -> None:
    assert len(RULES.upward) + len(RULES.circles) <= 5
    assert RULES.late <= 35
    assert (RULES.flat["*"], RULES.flat["host"]) == (24, 8)


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("import host.high.a", When.IMPORT),
        ("from host.high import a", When.IMPORT),
        ("from host.high.a import name", When.IMPORT),
        ("from ..high import a", When.IMPORT),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from host.high import a", When.TYPES),
        ("def f():\n    from host.high import a", When.LATE),
        ("FEATURES = ('host.high.a',)", When.STRING),
        ("FEATURES = ('host.high.a:name',)", When.STRING),
    ],
)
def test_every_way_to_import_upward_is_found(tmp_path: Path, text: str, when: When) -> None:
    found = made(tmp_path, low__x=text, high__a="name = 1")
    assert [(one.module, one.target, one.when) for one in found.imports] == [
        ("host.low.x", "host.high.a", when)
    ]
    assert any("it stands above" in sentence for sentence in structure.problems(found, RULE))


def test_an_import_downward_or_beside_is_fine(tmp_path: Path) -> None:
    found = made(tmp_path, high__a="from host.low import x\nfrom host.high import b", high__b="", low__x="")
    assert structure.problems(found, RULE) == []


def test_features_are_listed_with_who_imports_them(tmp_path: Path) -> None:
    found = made(
        tmp_path,
        shop__feature="",
        shop__log="from host.shop import feature",
        shop__own__feature="",
        shop__own__x="from host.shop import log",
        inbox__x="from host.shop import log\nfrom host.shop.own import x",
        process__features="FEATURES = ('host.shop.log',)",
    )
    assert structure.users_of(found) == {
        "host.shop": ["host.inbox.x", "host.shop.own.x"],
        "host.shop.own": ["host.inbox.x"],
    }
    shown = list(structure.features(found, verbose=True))
    assert any(line.startswith("host/shop.py") and "imported by   2 modules" in line for line in shown)
    assert "    host.inbox.x" in shown


def test_the_longest_name_says_the_layer(tmp_path: Path) -> None:
    found = made(tmp_path, low__x="from host.low.top import y", low__top__y="")
    assert len(structure.problems(found, RULE)) == 1


@pytest.mark.parametrize(
    "back", ["from host.low import x", "def f():\n    from host.low import x", "Y = 'host.low.x'"]
)
def test_a_circle_is_found(tmp_path: Path, back: str) -> None:
    found = made(tmp_path, low__x="from host.low import y", low__y=back)
    assert any("a circle: host.low.x, host.low.y" in sentence for sentence in structure.problems(found, RULE))


def test_what_has_no_layer_lies_too_flat_or_is_imported_late_is_found(tmp_path: Path) -> None:
    late = "def f():\n    from host.low import a"
    found = made(tmp_path, other__x="", low__a="", low__b=late, low__c="")
    said = " ".join(structure.problems(found, RULE))
    assert "host.other.x has no layer" in said
    assert "1 imports inside functions, 0 allowed: too many" in said
    assert "3 modules lie in host.low, 2 allowed" in said


def test_an_exception_nobody_needs_is_found(tmp_path: Path) -> None:
    rules = Rules(
        RULE.layers,
        RULE.purposes,
        frozenset({"host.low.x -> host.high.a"}),
        frozenset({"host.a, host.b"}),
        3,
        RULE.flat,
    )
    said = " ".join(structure.problems(made(tmp_path, low__x=""), rules))
    assert "the exception host.low.x -> host.high.a is needed no more" in said
    assert "the exception for the circle host.a, host.b is needed no more" in said
    assert "fewer than the limit: lower it" in said
