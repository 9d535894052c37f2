"""The Jinja environment of pages: Flask's, with less work for each call and each import in a template.

The page of a conversation makes 1,300 calls in its templates and imports twenty others. What Jinja asks at each
of them took a fifth of the page's time; the answers here are always the same.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from types import FunctionType
from typing import Any

import flask.templating
from jinja2.runtime import Context, Macro


class _Context(Context):
    def call(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call *function* from a template, as Jinja does; plain functions and macros without its questions."""
        kind = type(function)
        if kind is Macro:
            args = (self.eval_ctx, *args)
        elif kind is not FunctionType or hasattr(function, "jinja_pass_arg"):
            return super().call(function, *args, **kwargs)
        if kwargs:
            # What the compiler adds for functions that want the context.
            kwargs.pop("_block_vars", None)
            kwargs.pop("_loop_vars", None)
        try:
            return function(*args, **kwargs)
        except StopIteration:
            return self.environment.undefined("value was undefined because a callable raised a StopIteration")


class Environment(flask.templating.Environment):
    """Flask's environment, in which all templates have the environment's globals and no others."""

    context_class = _Context

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """Return the globals of a template: the environment's own where it has no others.

        Jinja lays a chain over two dictionaries, which is copied and compared in Python at each import.
        """
        return super().make_globals(d) if d else self.globals
