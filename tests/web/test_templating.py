"""What templates call: as Jinja calls it, and for a page's many links, icons and words by a shorter way."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, g, render_template_string
from jinja2 import Environment, pass_context, pass_environment, pass_eval_context
from jinja2.runtime import Context
from werkzeug.routing import IntegerConverter, Map, Rule

from host.core import db
from host.web.request_helpers import url_for_each
from tests.helpers import StandInGeneration, build_app


@pass_context
def _named(context: Context, *, mark: str = "") -> str:
    return f"{context['name']}{mark}"


class _Callable:
    @pass_eval_context
    def __call__(self, context: Any, word: str) -> str:
        return f"{word} {context.autoescape}"


class _Methods:
    @pass_environment
    def of(self, environment: Environment, word: str) -> str:
        return f"{word} {'icon_of_sprite' in environment.globals}"


def _stops() -> str:
    raise StopIteration


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ plain('a', b='<') }}", "a&lt;"),
        ("{% for _x in 'ab' %}{{ plain(loop.index, b=_x) }}{% endfor %}", "1a2b"),
        ("{{ named() }}", "out"),
        ("{% for _x in 'a' %}{% set name = 'in' %}{{ named(mark='!') }}{% endfor %}", "in!"),
        (
            "{% macro m(a, b='2') %}{{ a }}{{ b }}{{ caller() if caller }}{% endmacro %}{{ m('<', b=3) }}",
            "&lt;3",
        ),
        (
            "{% macro m(a) %}<b>{{ a }}{{ caller() }}</b>{% endmacro %}{% call m('x') %}&{% endcall %}",
            "<b>x&</b>",
        ),
        ("{{ callable('yes') }}", "yes True"),
        ("{{ methods.of('yes') }}", "yes True"),
        ("{{ 'a-b'.split('-')|join('+') }}", "a+b"),
        ("{{ 'none' if not stops() }}", "none"),
    ],
)
def test_calls_get_what_they_ask_for(app: Flask, source: str, text: str) -> None:
    values: dict[str, Any] = {
        "plain": lambda a, b: f"{a}{b}",
        "named": _named,
        "name": "out",
        "callable": _Callable(),
        "methods": _Methods(),
        "stops": _stops,
    }
    with app.test_request_context("/"):
        assert render_template_string(source, **values) == text


def test_words_escape_what_is_put_in_and_not_themselves(app: Flask) -> None:
    with app.test_request_context("/"):
        for source, text in {
            "{{ _('<b>%(name)s</b>', name='<i>') }}": "<b>&lt;i&gt;</b>",
            "{{ _('100 %% & more') }}": "100 % & more",
            "{{ gettext('as it is') }}": "as it is",
            "{{ ngettext('%(num)s <b>', '%(num)s <i> of %(all)s', 2, all='<') }}": "2 <i> of &lt;",
        }.items():
            assert render_template_string(source) == text


def test_an_icon_is_escaped_and_takes_its_class_either_way(app: Flask) -> None:
    with app.test_request_context("/"):
        icons = '{{ icon("x") }}{{ icon("<", "a") }}{{ icon("y", class="b") }}'
        assert render_template_string('{% from "_macros.html" import icon %}' + icons) == (
            '<svg class="ic" aria-hidden="true"><use href="#i-x"/></svg>'
            '<svg class="ic a" aria-hidden="true"><use href="#i-&lt;"/></svg>'
            '<svg class="ic b" aria-hidden="true"><use href="#i-y"/></svg>'
        )


def test_addresses_that_differ_in_one_id_are_those_of_url_for(app: Flask) -> None:
    values: dict[str, Any] = {"workspace_id": 7, "conversation_id": 9, "view": "a b&c"}
    with app.test_request_context("/"):
        address = url_for_each("inbox.hide", "message_id", **values)
        for id_ in (1, 2**63 - 1):
            assert address(id_) == app.url_for("inbox.hide", message_id=id_, **values)


def test_two_apps_share_no_globals_of_templates(database: db.Database, data: Any) -> None:
    one, other = (build_app(data, generation=StandInGeneration(failures={"toy": "x"})) for _ in range(2))
    one.jinja_env.globals["only_here"] = "yes"
    source = "{{ 'yes' if only_here else 'no' }}"
    for app, text in ((one, "yes"), (other, "no")):
        with app.test_request_context("/"):
            assert render_template_string(source) == text


def test_the_language_and_the_zone_are_the_requests(app: Flask) -> None:
    from host.web import languages

    for zone in ("Asia/Tokyo", "America/St_Johns"):
        with app.test_request_context("/", headers={"Cookie": f"lobby-zone={zone}"}):
            assert str(languages.reader().zone) == zone
            assert languages.reader() is languages.reader() is g.reader


def test_addresses_are_those_that_werkzeug_makes(app: Flask) -> None:
    rules = list(app.url_map.iter_rules())
    plain = Map(
        [Rule(one.rule, endpoint=one.endpoint, defaults=one.defaults) for one in rules],
        converters=app.url_map.converters,
    )
    bound, ours = plain.bind("desk.example"), app.url_map.bind("desk.example")
    for rule in rules:
        values: dict[str, object] = {
            name: 7 if isinstance(converter, IntegerConverter) else "a b/ü"
            for name, converter in rule._converters.items()
        }
        values |= {"more": "x&y", **(rule.defaults or {})}
        for name in ("filename", "path"):
            values |= {name: "a/b.js"} if name in values else {}
        assert ours.build(rule.endpoint, values) == bound.build(rule.endpoint, values)
