"""Every hook is documented as it is, implemented by a real addon, and exercised by a test."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from host.addons.package.manifest import AddonSetting, Declares, Manifest
from host.addons.running import contributions
from host.sdk._forms.fields import SettingField, SettingType

ROOT = Path(__file__).resolve().parents[2]
SPECS = ROOT / "host/sdk/hookspecs.py"
DOCS = ROOT / "docs/addons.md"
PAGES = ROOT / "docs/sdk"


def specs() -> dict[str, ast.FunctionDef]:
    return {
        node.name: node
        for node in ast.parse(SPECS.read_text()).body
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(d) == "hookspec" for d in node.decorator_list)
    }


def section(hook: str) -> str:
    page = PAGES / f"{hook}.md"
    assert page.is_file(), f"docs/sdk has no page {hook}.md"
    return page.read_text()


def implementations(paths: list[Path]) -> set[str]:
    return {
        node.name
        for path in paths
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(d) == "hookimpl" for d in node.decorator_list)
    }


def test_there_are_hooks() -> None:
    assert len(specs()) >= 8


@pytest.mark.parametrize("hook", specs())
def test_the_hook_is_documented_with_its_signature(hook: str) -> None:
    node = specs()[hook]
    signature = (
        f"def {hook}({ast.unparse(node.args)}) -> {ast.unparse(node.returns) if node.returns else 'None'}"
    )
    text = section(hook)
    assert signature in text, f"the signature in docs/sdk/{hook}.md is not {signature}"
    for word in ("When", "Transaction", "Raise"):
        assert f"**{word}**" in text, f"docs/sdk/{hook}.md does not say: {word}"
    assert "@hookimpl" in text, f"docs/sdk/{hook}.md has no example"


def test_the_docs_describe_no_hook_that_is_not_there() -> None:
    pages = {page.stem for page in PAGES.glob("*.md") if page.stem.startswith(("register_", "addon_"))}
    assert pages == set(specs())
    assert set(re.findall(r"\(sdk/((?:register|addon)_\w+)\.md\)", DOCS.read_text())) == set(specs())
    assert "(../addons.md#hooks)" in (PAGES / "README.md").read_text()


@pytest.mark.parametrize("hook", specs())
def test_the_hook_has_a_docstring(hook: str) -> None:
    assert len(ast.get_docstring(specs()[hook]) or "") > 40


# Of the addons here a job and a Snapshot do what these would; others may have somebody to tell.
ONLY_TELL = {"addon_activated", "addon_deactivated"}


@pytest.mark.parametrize("hook", sorted(specs().keys() - ONLY_TELL))
def test_the_hook_is_used_by_a_real_addon(hook: str) -> None:
    real = [*ROOT.glob("addons/*/*/addon.py")]
    assert hook in implementations(real), "a hook is added only together with an addon that uses it"


@pytest.mark.parametrize("hook", specs())
def test_the_toy_implements_the_hook_so_that_the_platform_tests_exercise_it(hook: str) -> None:
    assert hook in implementations([ROOT / "tests/toy/toy/addon.py"])


@pytest.mark.parametrize("hook", specs())
def test_the_host_calls_the_hook(hook: str) -> None:
    called = "".join(path.read_text() for path in (ROOT / "host/addons").glob("*.py"))
    assert hook in {kind.hook for kind in contributions.KINDS} or f'"{hook}"' in called


def test_the_table_of_contributions_has_every_hook_with_its_type() -> None:
    assert list(contributions.ABOUT) == list(specs())
    for kind in contributions.KINDS:
        returns = specs()[kind.hook].returns
        assert returns is not None
        one = kind.type.__name__
        assert ast.unparse(returns) == (one if kind.single else f"Sequence[{one}]")


def test_every_key_of_the_manifest_is_documented() -> None:
    text = DOCS.read_text().split("## Manifest")[1].split("\n## ")[0]
    fields = {*Manifest.__struct_fields__, *Declares.__struct_fields__, *AddonSetting.__struct_fields__}
    fields.remove("forms")  # no key of its own
    forms = (DOCS.parent / "sdk/settings.md").read_text()
    assert {name for name in SettingField.__struct_fields__ if f"`{name}`" not in forms} == set()
    assert {name for name in SettingType if f"| `{name}` |" not in forms} == set()
    assert {name for name in fields if f"`{name}`" not in text and f"[{name}" not in text} == set()
