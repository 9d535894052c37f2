"""A template has the shared macros that it calls: it imports them, or whatever includes it does."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, nodes

CHECKOUT = Path(__file__).parents[2]
SHARED = "_macros.html"


def read() -> dict[str, nodes.Template]:
    """Return each template by the name under which others include it."""
    environment = Environment(extensions=["jinja2.ext.i18n", "jinja2.ext.do"], autoescape=True)
    found = {}
    for path in sorted((CHECKOUT / "host").rglob("templates/**/*.html")):
        parts = path.relative_to(CHECKOUT).parts
        name = "/".join(parts[parts.index("templates") + 1 :])
        found[name] = environment.parse(path.read_text())
    return found


def test_a_shared_macro_is_imported_where_it_is_called() -> None:
    trees = read()
    assert len(trees) > 200
    macros = {one.name for one in trees[SHARED].find_all(nodes.Macro)}
    imported = {
        name: {
            alias if isinstance(alias, str) else alias[1]
            for one in tree.find_all(nodes.FromImport)
            for alias in one.names
        }
        for name, tree in trees.items()
    }
    includers: dict[str, set[str]] = {name: set() for name in trees}
    for name, tree in trees.items():
        for one in tree.find_all(nodes.Include):
            if isinstance(one.template, nodes.Const):
                includers[one.template.value].add(name)
        for base in tree.find_all(nodes.Extends):
            if isinstance(base.template, nodes.Const):
                imported[name] |= imported[base.template.value]  # its blocks have them

    def lacks(name: str, called: set[str]) -> list[str]:
        """Return the chains of templates in which *called* are imported nowhere."""
        left = called - imported[name]
        if not left:
            return []
        if not includers[name]:
            return [f"{name}: {', '.join(sorted(left))}"]
        return [
            f"{chain}, which includes {name}" for one in sorted(includers[name]) for chain in lacks(one, left)
        ]

    wrong = [chain for name, tree in trees.items() for chain in lacks(name, _called(tree) & macros)]
    assert not wrong, "\n".join(wrong)


def _called(tree: nodes.Template) -> set[str]:
    """Return the names that are called in a template and not defined there."""
    own = {one.name for one in tree.find_all(nodes.Macro)}
    own |= {one.name for one in tree.find_all(nodes.Name) if one.ctx in {"store", "param"}}
    calls = (one.node for one in tree.find_all(nodes.Call))
    return {one.name for one in calls if isinstance(one, nodes.Name)} - own
