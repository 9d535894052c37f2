"""A toy channel whose provider approves templates, for tests of sending them."""

from __future__ import annotations

from typing import ClassVar

from host.sdk.channel import (
    AccountRef,
    ApprovalState,
    ApprovedButton,
    ApprovedHeader,
    ApprovedPage,
    ApprovedParameter,
    ApprovedTemplate,
    Capabilities,
    MediaLimits,
    ProviderProblem,
)
from host.sdk.messages import MessageKind
from tests.inbox.toys import Windowed

ORDER = ApprovedTemplate(
    "order-en",
    "order_shipped",
    "en",
    "Hello {{first_name}}, your order {{order}} is on its way.",
    category="Utility",
    price="4 cents",
    header=ApprovedHeader(text="Order {{order}}"),
    footer="Reply STOP to opt out.",
    buttons=(ApprovedButton("Track it", url="https://toy.example/track/{{order}}"), ApprovedButton("Thanks")),
    parameters=(
        ApprovedParameter("first_name", "Zoe"),
        ApprovedParameter("order", "A-17", label="Order number", max_length=20),
    ),
)
SALE = ApprovedTemplate(
    "sale-de",
    "winter_sale",
    "de",
    "Der Winterschlussverkauf beginnt am {{1}}.",
    category="Marketing",
    promotional=True,
    parameters=(ApprovedParameter("1", "Montag"),),
)
CATALOG = ApprovedTemplate(
    "catalog-en",
    "catalog",
    "en",
    "Our new mugs.",
    category="Marketing",
    promotional=True,
    header=ApprovedHeader(MessageKind.IMAGE),
)
PAUSED = ApprovedTemplate(
    "old-en",
    "old_offer",
    "en",
    "Nobody liked this.",
    ApprovalState.PAUSED,
    sentence="Too many people blocked the account after it.",
    category="Marketing",
    promotional=True,
)
REJECTED = ApprovedTemplate("no-fr", "non", "fr", "Non.", ApprovalState.REJECTED, category="Utility")


class Approving(Windowed):
    """A toy with a reply window and approved templates, two on each page."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        text_limit_bytes=1000,
        sends=frozenset({MessageKind.TEXT, MessageKind.IMAGE, MessageKind.APPROVED_TEMPLATE}),
        media={MessageKind.IMAGE: MediaLimits(frozenset({"image/jpeg", "image/png"}), 2 * 1024 * 1024)},
        approved_templates=True,
        reply_quote=True,
    )

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.templates = [ORDER, SALE, CATALOG, PAUSED, REJECTED]
        self.asked: list[str] = []
        self.problem: ProviderProblem | None = None

    def approved_templates(self, account: AccountRef, after: str) -> ApprovedPage | ProviderProblem:
        self.asked.append(f"list {after}".strip())
        if self.problem is not None:
            return self.problem
        start = int(after or 0)
        more = str(start + 2) if start + 2 < len(self.templates) else ""
        return ApprovedPage(self.templates[start : start + 2], after=more)

    def find_approved_template(
        self, account: AccountRef, external_id: str
    ) -> ApprovedTemplate | ProviderProblem:
        self.asked.append(f"find {external_id}")
        for template in self.templates:
            if template.external_id == external_id:
                return self.problem or template
        return self.problem or ProviderProblem("none", "There is no such template.", "Choose another one.")


APPROVING = Approving()
