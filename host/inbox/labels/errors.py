"""Errors about labels."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from host.core.errors import InvalidError, NotFoundError


class LabelNotFoundError(NotFoundError):
    """The workspace has no such label."""

    code = "label_not_found"
    title = _l("Label not found")
    default_sentence = _l("This label does not exist in this workspace. It may have been deleted.")
    default_next_step = _l("Reload the page and choose another.")
    program_step = _l("List the labels, and choose one of them.")


class LabelNameError(InvalidError):
    """The name of a label is empty, too long or taken."""

    code = "label_name"
    title = _l("Choose another label name")
    default_sentence = _l("A label needs a name. Nothing was saved.")
    default_next_step = _l("Choose another name.")
