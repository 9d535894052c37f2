"""What :mod:`tools.shape` counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import shape

LABELS = '''"""Routes."""

from host.api import Wire


class Base(Wire):
    """Not counted
    as code."""


class Label(Base):
    name: str  # nor is this


@route("POST", "/labels", body=Label,
       answer=Label, tag="Labels")
def create(call, body):
    def use_case(session):
        return labels.create(session, workspace_id=call.workspace_id, actor=actor, name=body.name)
    for one in body:
        pass


def many(self, a, b, c, *, d, e, f): ...
'''


def test_each_thing_is_counted(tmp_path: Path) -> None:
    for name, text in {
        "host/labels.py": LABELS,
        "host/views.py": 'audit(session, "x")\n',
        "host/inbox/apply/a.py": "clean(external_id(x))\n",
        "host/static/a.js": "",
        "tools/structure.toml": "[[layer]]\nholds = ['host']\n[[layer]]\nholds = []\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert {what: count for what, count in shape.counts(tmp_path).items() if count} == {
        "lines of Python, without blank ones, docstrings and comments": 14,
        "wire classes": 2,
        "decorators of routes": 1,
        "lines of decorators of routes": 2,
        "arguments of routes that repeat an annotation": 2,
        "use_case closures inside functions": 1,
        "arguments that only pass context": 2,
        "functions with six or more parameters": 1,
        "loops over a variable called one": 1,
        "lines of the audit log written by pages": 1,
        "values cleaned again inside inbox/apply": 2,
        "lists of names in structure.toml": 2,
        "js files outside their feature's folder": 1,
    }


@pytest.mark.parametrize(
    ("text", "lines"),
    [("", 0), ("# why\n", 0), ('"""Module."""\nx = """a\nb"""\n', 2), ("f(\n    1,\n)\n", 3)],
)
def test_only_code_counts(text: str, lines: int) -> None:
    assert shape.code_lines(text, shape.ast.parse(text)) == lines
