"""The examples of the SDK's pages are cut from files that the tests run.

``REWRITE_EXAMPLES=1`` puts them into the pages as they are now.
"""

from __future__ import annotations

import ast
import builtins
import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs" / "sdk").glob("*.md"))
HOOKS = [page for page in PAGES if page.stem.startswith(("register_", "addon_"))]
LONGEST = 110
RUN = ("tests/toy/", "host/authoring/starter/", "addons/")
_EXAMPLE = re.compile(r"(?ms)^<!-- example: (\S+)([^\n]*?) ?-->\n```(\w+)\n(.*?)^```$")


def cut(path: str, names: list[str]) -> str:
    """Return the definitions called *names* from a file of the repository, or all of it.

    What they use of the same file comes along, and so do the imports they need: the example can be run.
    """
    text = (ROOT / path).read_text()
    if not names:
        return text.strip() + "\n"
    lines = text.splitlines()
    body = ast.parse(text).body
    defined = {name: node for node in body for name in _names(node)}
    wanted, todo = set(), list(names)
    used: set[str] = set()
    while todo:
        node = defined[todo.pop()]
        if node not in wanted:
            wanted.add(node)
            used |= {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
            todo += sorted(used & set(defined))
    imports = [line for node in body for line in _import(node, used)]
    found = []
    for node in sorted(wanted, key=lambda each: each.lineno):
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
        found.append("\n".join(lines[first - 1 : node.end_lineno]))
    return "\n\n\n".join(["\n".join(imports)] * bool(imports) + found) + "\n"


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _import(node: ast.stmt, used: set[str]) -> list[str]:
    """Return the import *node* without what is not used; nothing for any other statement."""
    if not isinstance(node, ast.Import | ast.ImportFrom) or ast.unparse(node).startswith("from __future__"):
        return []
    node.names = [each for each in node.names if (each.asname or each.name.partition(".")[0]) in used]
    line = ast.unparse(node)
    if node.names and len(line) > LONGEST:
        head, _, names = line.partition(" import ")
        line = f"{head} import (\n" + "".join(f"    {name},\n" for name in names.split(", ")) + ")"
    return [line] if node.names else []


def with_examples(page: Path) -> str:
    """Return *page* as it has to be."""

    def put(match: re.Match[str]) -> str:
        path, names, language, _before = match.groups()
        head = f"<!-- example: {path}{names} -->"
        return f"{head}\n```{language}\n{cut(path, names.split())}```"

    return _EXAMPLE.sub(put, page.read_text())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_are_the_running_code(page: Path) -> None:
    wanted = with_examples(page)
    if os.environ.get("REWRITE_EXAMPLES") == "1":
        page.write_text(wanted)
    assert page.read_text() == wanted, "run this test with REWRITE_EXAMPLES=1 and read the difference"


@pytest.mark.parametrize("page", HOOKS, ids=lambda p: p.name)
def test_every_page_of_a_hook_has_an_example_that_is_run(page: Path) -> None:
    examples = _EXAMPLE.findall(page.read_text())
    assert examples
    assert all(path.startswith(RUN) for path, *_rest in examples)
    assert f"def {page.stem}(" in examples[0][3], "the first example implements the hook"
    fences = len(re.findall(r"(?m)^```\w+$", page.read_text()))
    assert fences == len(examples) + 1, "code that nobody runs, beside the signature"


def test_an_example_brings_what_it_needs() -> None:
    example = cut("tests/toy/toy/channel.py", ["ToyChannel"])
    assert "from datetime import UTC, datetime, timedelta\n" in example
    assert "WINDOW = timedelta(hours=24)\n" in example
    assert "Sequence\n" in example
    for path, names in (
        ("tests/toy/toy/webhook.py", ["authenticate"]),
        ("tests/toy/toy/connect.py", ["card"]),
    ):
        tree = ast.parse(cut(path, names))
        bound = {name for node in tree.body for name in _names(node)} | set(dir(builtins))
        bound |= {each.asname or each.name for node in ast.walk(tree) for each in getattr(node, "names", ())}
        inner = {each.arg for each in ast.walk(tree) if isinstance(each, ast.arg)}
        inner |= {
            each.id
            for each in ast.walk(tree)
            if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
        }
        inner |= {each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)}
        read = {each.id for each in ast.walk(tree) if isinstance(each, ast.Name)}
        assert read - bound - inner == set()


def test_a_changed_example_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- example: tests/toy/toy/events.py sweep -->\n```python\ndef sweep(): ...\n```\n")
    assert 'note("swept")' in with_examples(page)
