"""The Jinja environment of pages: Flask's, with less work for each call and each import in a template.

It also decides, while a template is compiled, which words are markup: those that stand in the template
itself. What a template only hands on for translation is text: a title of an addon, a provider's problem.

The templates of a conversation's page make 1,300 calls and import twenty others. Jinja's checks at each of
them took a tenth of the page's time, always with the same result.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from functools import cache
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import flask.templating
from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.runtime import Context, Macro

TRANSLATORS = {"_": 1, "gettext": 1, "ngettext": 2, "pgettext": 2, "npgettext": 3}
"""The functions a template translates with, and how many of their first arguments are words."""

_PLAIN = frozenset({FunctionType, BuiltinFunctionType, MethodType, type(cache(str))})
"""Types of functions that get the context passed only if they are marked."""


class _Context(Context):
    def call(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call *function* from a template as Jinja does, with fewer checks for common types."""
        kind = type(function)
        if kind is Macro:
            args = (self.eval_ctx, *args)
        elif kind not in _PLAIN or hasattr(function, "jinja_pass_arg"):
            return super().call(function, *args, **kwargs)
        if kwargs:
            # The compiler adds these for functions that take the context.
            kwargs.pop("_block_vars", None)
            kwargs.pop("_loop_vars", None)
        try:
            return function(*args, **kwargs)
        except StopIteration:
            return self.environment.undefined("value was undefined because a callable raised a StopIteration")


class _CodeGenerator(CodeGenerator):
    def visit_Template(self, node: nodes.Template, frame: Frame | None = None) -> None:  # noqa: N802 - Jinja's
        for call in node.find_all(nodes.Call):
            if is_literal(call):
                assert isinstance(call.node, nodes.Name)
                call.node = nodes.EnvironmentAttribute(f"marked_{call.node.name}")
        super().visit_Template(node, frame)


def is_literal(call: nodes.Call) -> bool:
    """Say whether *call* translates words that stand in the template, and nothing else."""
    if not isinstance(call.node, nodes.Name) or call.node.name not in TRANSLATORS:
        return False
    count = TRANSLATORS[call.node.name]
    return len(call.args) >= count and all(_is_text(one) for one in call.args[:count])


def _is_text(node: nodes.Expr) -> bool:
    match node:
        case nodes.Const(value=str()):
            return True
        case nodes.CondExpr(expr1=one, expr2=nodes.Expr() as other):
            return _is_text(one) and _is_text(other)
        case nodes.Concat(nodes=parts):
            return all(map(_is_text, parts))
        case nodes.Add(left=one, right=other):
            return _is_text(one) and _is_text(other)
    return False


class Environment(flask.templating.Environment):
    """Flask's environment, in which all templates share the environment's globals.

    A literal in a template is translated by ``marked__`` and its like, which no template can name; any other
    call goes to the global of that name, which escapes. :mod:`host.web.languages` installs both.
    """

    context_class = _Context
    code_generator_class = _CodeGenerator

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """Return the globals of a template: those of the environment, unless it has others.

        Jinja chains two dictionaries, which are copied and compared in Python at each import.
        """
        return super().make_globals(d) if d else self.globals
