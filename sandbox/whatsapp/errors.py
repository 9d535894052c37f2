"""The Cloud API's errors: HTTP status, title and details of each code (W3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sandbox.errors import GraphError
from sandbox.world import Flavour, Json

HREF = "https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes"


class Wording(NamedTuple):
    """HTTP status, title and details of a code."""

    status: int
    title: str
    details: str


KNOWN: dict[int, Wording] = {
    0: Wording(401, "AuthException", "Unable to authenticate the app user."),
    3: Wording(500, "API Method", "Capability or permissions issue."),
    4: Wording(400, "Application request limit reached", "The app has reached its API call rate limit."),
    10: Wording(
        403,
        "Application does not have permission for this action",
        "Permission is either not granted or has been removed.",
    ),
    33: Wording(400, "Parameter value is not valid", "The business phone number has been deleted."),
    100: Wording(400, "Invalid parameter", "The request included one or more unsupported parameters."),
    190: Wording(401, "Access token has expired", "Your access token has expired."),
    200: Wording(403, "Permissions error", "Permission is either not granted or has been removed."),
    368: Wording(
        403,
        "Temporarily blocked for policies violations",
        "The WhatsApp Business Account has been restricted or disabled for violating a platform policy.",
    ),
    80007: Wording(400, "Rate limit issues", "The WhatsApp Business Account has reached its rate limit."),
    130429: Wording(
        400,
        "Rate limit hit",
        "Message failed to send because there were too many messages sent from this phone number in a short period of time.",  # noqa: E501 - Meta's sentence
    ),
    130472: Wording(
        400,
        "User's number is part of an experiment",
        "Failed to send message because this user's phone number is part of an experiment.",
    ),
    130497: Wording(
        403,
        "Business account is restricted from messaging users in this country.",
        "Business account is restricted from messaging users in this country.",
    ),
    131000: Wording(500, "Something went wrong", "Message failed to send due to an unknown error."),
    131005: Wording(403, "Access denied", "Permission is either not granted or has been removed."),
    131008: Wording(400, "Required parameter is missing", "The request is missing a required parameter."),
    131009: Wording(400, "Parameter value is not valid", "One or more parameter values are invalid."),
    131016: Wording(500, "Service unavailable", "A service is temporarily unavailable."),
    131021: Wording(400, "Recipient cannot be sender", "Sender and recipient phone number is the same."),
    131026: Wording(400, "Message undeliverable", "Message Undeliverable."),
    131030: Wording(
        400,
        "Recipient phone number not in allowed list",
        "Recipient phone number not in allowed list: Add recipient phone number to recipient list and try again.",  # noqa: E501 - Meta's sentence
    ),
    131031: Wording(
        403, "Business Account locked", "Message failed to send because your account has been locked."
    ),
    131042: Wording(
        400,
        "Business eligibility payment issue",
        "Message failed to send because there were one or more errors related to your payment method.",
    ),
    131045: Wording(
        500,
        "Incorrect certificate",
        "Message failed to send due to a phone number registration error.",
    ),
    131047: Wording(
        400,
        "Re-engagement message",
        "Message failed to send because more than 24 hours have passed since the customer last replied to this number.",  # noqa: E501 - Meta's sentence
    ),
    131048: Wording(
        400,
        "Spam rate limit hit",
        "Message failed to send because there are restrictions on how many messages can be sent from this phone number. This may be because too many previous messages were blocked or flagged as spam.",  # noqa: E501 - Meta's sentence
    ),
    131049: Wording(
        400,
        "This message was not delivered to maintain healthy ecosystem engagement.",
        "In order to maintain a healthy ecosystem engagement, the message failed to be delivered.",
    ),
    131050: Wording(
        400,
        "User has stopped marketing messages from your business.",
        "The user has chosen to stop receiving marketing messages from your business.",
    ),
    131051: Wording(400, "Unsupported message type", "Message type is currently not supported."),
    131052: Wording(400, "Media download error", "Failed to download the media from the sender."),
    131053: Wording(400, "Media upload error", "Failed to upload the media used in the message."),
    131056: Wording(
        400,
        "(Business Account, Consumer Account) pair rate limit hit",
        "Message failed to send because there were too many messages sent from this phone number to the same phone number in a short period of time.",  # noqa: E501 - Meta's sentence
    ),
    131057: Wording(500, "Account in maintenance mode", "The account is in maintenance mode."),
    131062: Wording(
        400,
        "Business-scoped User ID (BSUID) recipients are not supported for this message.",
        "Business-scoped User ID (BSUID) recipients are not supported for this message.",
    ),
    132000: Wording(
        400,
        "Number of parameters does not match the expected number of params",
        "The number of variable parameter values did not match the number of variables in the template.",
    ),
    132001: Wording(
        404,
        "Template name does not exist in the translation",
        "The template does not exist in the specified language or the template has not been approved.",
    ),
    132005: Wording(400, "Translated text too long", "The translated text is too long."),
    132007: Wording(
        400, "Template Format Character Policy Violated", "Template content violates a WhatsApp policy."
    ),
    132012: Wording(
        400,
        "Parameter format does not match format in the created template",
        "Variable parameter values formatted incorrectly.",
    ),
    132015: Wording(400, "Template is paused", "Template is paused due to low quality."),
    132016: Wording(400, "Template is disabled", "Template was paused too many times due to low quality."),
    132018: Wording(
        400,
        "There's an issue with the parameters in your template",
        "The parameters of the template are not valid.",
    ),
    133000: Wording(500, "Incomplete Deregistration", "A previous deregistration attempt failed."),
    133005: Wording(400, "Two step verification PIN Mismatch", "Two-step verification PIN incorrect."),
    133006: Wording(
        400, "Phone number re-verification needed", "Phone number needs to be verified before registering."
    ),
    133010: Wording(
        400, "Account not registered", "Phone number not registered on the WhatsApp Business Platform."
    ),
    133016: Wording(
        400,
        "Account register deregister rate limit exceeded",
        "Registration or Deregistration failed because there were too many attempts for this phone number.",
    ),
}


@dataclass(slots=True)
class CloudError(GraphError):
    """An error with details, which the Cloud API puts into ``error_data``."""

    details: str | None = None


def cloud_error(code: int, details: str | None = None) -> CloudError:
    """Return the error of a code; *details* replace the usual ones."""
    return CloudError(code, details=details)


def invalid(message: str) -> CloudError:
    """Return error 100 with a message of the Graph API's own checks, which has no details."""
    return CloudError(100, None, message, details="")


def answer(error: GraphError, flavour: Flavour) -> tuple[Json, int]:
    """Return body and HTTP status of an error in the Cloud API's format."""
    known = KNOWN.get(error.code)
    if known is None or error.subcode == 33:
        return error.answer(flavour)
    named = error.message or (known.title if error.subcode is None else None)
    plain = GraphError(error.code, error.subcode, named, error.status, error.type)
    if error.code == 190 and error.message is None and error.subcode is None:
        plain.message = None
    body, _ = plain.answer(flavour)
    details = error.details if isinstance(error, CloudError) else None
    details = known.details if details is None and error.message is None else details
    if details and error.code != 190:
        body["error"]["error_data"] = {"messaging_product": "whatsapp", "details": details}
    return body, error.status or known.status


def in_webhook(code: int, details: str | None = None, title: str | None = None) -> Json:
    """Return an error as webhooks write it (W5)."""
    known = KNOWN.get(code, KNOWN[131000])
    named = title or known.title
    return {
        "code": code,
        "title": named,
        "message": named,
        "error_data": {"details": details or known.details},
        "href": HREF,
    }
