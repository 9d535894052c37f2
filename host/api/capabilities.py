"""The capabilities of a channel, in the shapes of the API."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from host.api import shapes
from host.api.http.declare import Wire
from host.sdk.capabilities import MEDIA_KINDS, Capabilities, QuickReplyLimits
from host.sdk.messages import MessageKind

S = TypeVar("S", bound=Wire)


def declared(found: Capabilities) -> shapes.Capabilities:
    """Return a channel's capabilities in the API's form, each kind under its API name."""
    sends: list[str] = [str(kind) for kind in found.sends if kind in MEDIA_KINDS | {MessageKind.TEXT}]
    sends += ["sticker"] if found.heart else []
    sends += ["template"] if found.template is not None else []
    sends += ["approved_template"] if found.approved_templates else []
    sends += ["buttons"] if found.buttons is not None else []
    sends += ["product"] if found.product_template is not None else []
    sends += ["post"] if found.own_post else []
    sends += [kind.value for kind in (MessageKind.LOCATION, MessageKind.CONTACTS) if kind in found.sends]
    private = found.private_replies
    return shapes.Capabilities.of(
        found,
        kinds=sorted(sends),
        files={
            str(kind): shapes.FileLimits(
                content_types=sorted(limits.content_types), max_bytes=limits.max_bytes
            )
            for kind, limits in sorted(found.media.items())
        },
        captions=None
        if found.captions is None
        else shapes.CaptionLimits(length=found.captions.length, kinds=sorted(found.captions.kinds)),
        copies=None if found.copies is None else found.copies.most,
        quick_replies=_quick_replies(found.quick_replies),
        template=_same(found.template, shapes.TemplateLimits),
        buttons=_same(found.buttons, shapes.ButtonsLimits),
        most_products=found.product_template,
        reactions=None if found.reactions is None else sorted(found.reactions),
        ice_breakers=_same(found.ice_breakers, shapes.IceBreakerLimits),
        menu=_same(found.menu, shapes.MenuLimits),
        private_only=sorted(found.private_only),
        private_replies=None
        if private is None
        else shapes.PrivateReplyLimits(
            text_limit_bytes=private.text_limit_bytes,
            quick_replies=_quick_replies(private.quick_replies),
            per_hour=private.per_hour,
        ),
        moderation=sorted(found.moderation),
        mobile_only=sorted(found.mobile_only),
        custom_kinds=[
            shapes.CustomKind(name=one.name, label=one.label, data_schema=msgspec.json.schema(one.data))
            for one in found.custom_kinds
        ],
    )


def _quick_replies(found: QuickReplyLimits | None) -> shapes.QuickReplyLimits | None:
    if found is None:
        return None
    return shapes.QuickReplyLimits.of(found, asks=sorted(found.asks))


def _same(limits: Any, shape: type[S]) -> S | None:
    """Return *limits* of the SDK as a shape with the same fields."""
    if limits is None:
        return None
    return shape(**{name: getattr(limits, name) for name in shape.__struct_fields__})
