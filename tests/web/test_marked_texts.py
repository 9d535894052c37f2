"""Only words that stand in a template are markup; what it was handed is text, translated or not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from babel.messages.pofile import read_po
from flask import Flask, render_template_string
from flask_babel import lazy_gettext
from jinja2 import TemplateError, nodes
from markupsafe import Markup

from host.web.templating import TRANSLATORS, is_literal

ROOT = Path(__file__).parents[2]
HTML = re.compile(r"<[a-z/!]|&[a-z#]\w*;")
HOSTILE = '"><img src=x onerror=alert(1)> 5 %'
ESCAPED = "&#34;&gt;&lt;img src=x onerror=alert(1)&gt; 5 %"


SOURCES = [
    "{{ _(value) }}",
    "{{ gettext(value) }}",
    "{{ ngettext(value, value, 2) }}",
    "{{ pgettext('time', value) }}",
    "{{ _(value if yes else 'Yes') }}",
    "{{ _('' ~ value) }}",
    "{{ _('%s' % value) }}",
    "{{ _('%s'|format(value)) }}",
    "{{ _(*[value]) }}",
    "{{ _('%(x)s', x=value) }}",
    "{{ _('%(x)s', x=_(value)) }}",
    "{{ ngettext('%(x)s', '%(x)s', 2, x=value) }}",
    "{{ pgettext('time', '%(x)s', x=value) }}",
    "{{ npgettext('time', '%(x)s', '%(x)s', 2, x=value) }}",
    "{{ _(marked) }}",
    "{{ _(lazy) }}",
    "{{ lazy }}",
    "{{ filled }}",
    "{{ _(filled) }}",
    "{{ '' ~ filled }}",
    "{{ [filled]|join }}",
    "{% set say = _ %}{{ say(value) }}",
    "{% set say = gettext %}{{ say(value) }}",
    "{% trans x=value %}{{ x }}{% endtrans %}",
    "{% macro say(text) %}{{ _(text) }}{% endmacro %}{{ say(value) }}",
]


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_value_comes_back_escaped(app: Flask, language: str) -> None:
    values: dict[str, Any] = {
        "value": HOSTILE,
        "yes": True,
        "marked": Markup(HOSTILE),
        "lazy": lazy_gettext(HOSTILE),
        "filled": lazy_gettext("%(x)s", x=HOSTILE),
    }
    with app.test_request_context("/", headers={"Accept-Language": language}):
        assert {source: render_template_string(source, **values) for source in SOURCES} == dict.fromkeys(
            SOURCES, ESCAPED
        )


def test_no_text_is_not_the_head_of_the_catalogue(app: Flask) -> None:
    with app.test_request_context("/", headers={"Accept-Language": "de"}):
        assert render_template_string("{{ _(value) }}", value="") == ""


TEMPLATES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for folder in ("host", "addons", "tests/toy", "sandbox")
    for path in sorted((ROOT / folder).rglob("templates/**/*.html"))
}


def mistakes(tree: nodes.Template) -> list[str]:
    """Return where a template could make an element of a text that it was handed."""
    found = []
    called = {id(call.node) for call in tree.find_all(nodes.Call)}
    for name in tree.find_all(nodes.Name):
        if name.name in TRANSLATORS and (name.ctx != "load" or id(name) not in called):
            found.append(f"{name.lineno}: {name.name} is passed on or replaced")
        if name.name in {"Markup", "escape"}:
            found.append(f"{name.lineno}: {name.name}")
    for one in tree.find_all(nodes.Filter):
        if one.name == "safe":
            found.append(f"{one.lineno}: |safe")
    found += [f"{one.lineno}: autoescape" for one in tree.find_all(nodes.ScopedEvalContextModifier)]
    for call in tree.find_all(nodes.Call):
        if is_literal(call) and any(
            isinstance(one, nodes.Const) and HTML.search(str(one.value)) for one in call.args
        ):
            found.append(f"{call.lineno}: a translator would have to write HTML")
    return found


def test_no_template_makes_markup_of_a_value(app: Flask) -> None:
    """In all templates, only literals are markup: nothing else marks, and nothing hides what is called."""
    found, literals, values = {}, 0, 0
    for name, source in TEMPLATES.items():
        tree = app.jinja_env.parse(source)
        if wrong := mistakes(tree):
            found[name] = wrong
        for call in tree.find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name in TRANSLATORS:
                literals += is_literal(call)
                values += not is_literal(call)
    assert not found
    assert literals > 4_000
    assert values >= 38, "they are text"


RULED = [
    ("{{ _('Save') }}{% trans %}Yes{% endtrans %}{{ pgettext('time', 'From') }}", 0),
    ("{{ _(title) }}{{ gettext(title) }}", 0),
    ("{{ title|safe }}", 1),
    ("{% set say = _ %}{{ say(title) }}", 1),
    ("{% macro m(_) %}{{ _('a') }}{% endmacro %}", 1),
    ("{% for _ in titles %}{% endfor %}", 1),
    ("{{ Markup(title) }}", 1),
    ("{% autoescape false %}{{ title }}{% endautoescape %}", 1),
    ("{{ _('<b>Save</b>') }}", 1),
]


def test_the_rule_finds_what_it_is_for(app: Flask) -> None:
    assert [len(mistakes(app.jinja_env.parse(source))) for source, _count in RULED] == [
        count for _source, count in RULED
    ]


LITERALS = [
    "'a'",
    "'a' 'b'",
    "'a' ~ 'b'",
    "'a' + 'b'",
    "'a' if x else 'b'",
    "'a' if x else 'b' if y else 'c'",
]


def test_words_put_together_of_literals_are_the_templates(app: Flask) -> None:
    for words in LITERALS:
        assert "environment.marked__" in app.jinja_env.compile(f"{{{{ _({words}) }}}}", raw=True), words


def test_a_template_cannot_name_what_marks(app: Flask) -> None:
    for source in ("{{ marked__(value) }}", "{{ environment.marked__(value) }}", "{{ value|marked__ }}"):
        with app.test_request_context("/"), pytest.raises(TemplateError):
            render_template_string(source, value=HOSTILE)


def test_catalogues_hold_no_html() -> None:
    for path in [
        *ROOT.glob("host/translations/*/LC_MESSAGES/*.po"),
        *ROOT.glob("addons/*/translations/*/*/*.po"),
    ]:
        with path.open("rb") as file:
            for message in read_po(file):
                for text in (message.id, message.string):
                    for one in text if isinstance(text, (tuple, list)) else (text,):
                        assert not HTML.search(one), f"{path}: {one}"


SINKS = re.compile(r"(?:innerHTML|outerHTML)\s*\+?=(?!=)\s*(.+)|(?:insertAdjacentHTML|document\.write)\((.+)")


def test_no_script_puts_html_together() -> None:
    """What a script inserts as HTML is a constant or what the desk rendered; words go in as text."""
    for path in [*ROOT.glob("host/**/*.js"), *ROOT.glob("addons/**/*.js"), *ROOT.glob("sandbox/**/*.js")]:
        for found in SINKS.finditer(path.read_text()):
            value = found[1] or found[2]
            assert "${" not in value, f"{path.name}: {found[0]}"
            assert not re.search(r"['\"`]\s*\+|\+\s*['\"`]", value), f"{path.name}: {found[0]}"
