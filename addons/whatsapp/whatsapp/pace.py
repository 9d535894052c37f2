"""The rates at which WhatsApp lets a number send.

https://developers.facebook.com/documentation/business-messaging/whatsapp/throughput: 80 messages a second by
default. To one customer it is a message every six seconds, of which a burst may use up to 45 in advance.
"""

from __future__ import annotations

from host.sdk import settings
from host.sdk.channel import ModerateRequest, ReactRequest, SearchRequest, SendLimit, SendRequest
from host.sdk.i18n import noop

OF_NUMBER = noop("This number is sending many messages at once. This message is queued.")
OF_CUSTOMER = noop("This customer got many messages in a short time. This one is queued.")
BURST = 45
SECONDS_EACH = 6


def limits(request: SendRequest | ReactRequest | ModerateRequest | SearchRequest) -> list[SendLimit]:
    """Return the limits that sending *request* counts against."""
    if not isinstance(request, SendRequest | ReactRequest):
        return []
    account, found = request.account.id, []
    most = settings.get("whatsapp", "sends_per_second")
    if most.isdigit() and int(most):
        found.append(SendLimit(f"number {account}", int(most), 1, OF_NUMBER, whole_account=True))
    customer = f"customer {account} {request.recipient}"
    return [*found, SendLimit(customer, BURST, BURST * SECONDS_EACH, OF_CUSTOMER)]
