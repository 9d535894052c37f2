"""The Graph API's errors: code, subcode, wording, and the format of each road (M22, M23)."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox import ids
from sandbox.world import Flavour, Json

WINDOW = (
    "This message is sent outside of allowed window. Learn more about the new policy here: "
    "https://developers.facebook.com/docs/messenger-platform/policy-overview"
)

# (code, subcode): wording. Faults also use the wording, so every pair of the contract is here.
WORDING: dict[tuple[int, int | None], str] = {
    (-1, None): "An internal error occurred. Please try again later.",
    (1, None): "An unknown error occurred",
    (1, 1357046): "An error occurred while sending the message.",
    (2, None): "Service temporarily unavailable",
    (2, 1545133): "The service is temporarily unavailable. Please try again later.",
    (3, None): "Application does not have the capability to make this API call.",
    (4, None): "Application request limit reached",
    (4, 2018354): "Too many marketing messages were sent to this person.",
    (9, 2018352): "Too many opt-in requests were sent to this person.",
    (10, None): "Application does not have permission for this action",
    (10, 2534022): WINDOW,
    (10, 2018278): WINDOW,
    (10, 2018065): WINDOW,
    (
        10,
        2018108,
    ): "This Person Cannot Receive Messages: This person isn't receiving messages from you right now.",
    (10, 2534077): "Cannot verify the link between the Instagram account, the user and the Page.",
    (10, 1893063): "This Page is temporarily restricted from sending messages.",
    (17, None): "User request limit reached",
    (32, None): "Page request limit reached",
    (100, None): "Invalid parameter",
    (
        100,
        33,
    ): "Unsupported request. Object does not exist, cannot be loaded due to missing permissions, or does not support this operation.",  # noqa: E501 - Meta's sentence
    (100, 2018001): "No matching user found",
    (100, 2018008): "Failed to fetch the file from the url",
    (100, 2018034): "Message cannot be empty, must provide valid attachment or text",
    (
        100,
        2018047,
    ): "Upload attachment failure. A common way to trigger this error is that the provided media type does not match type of file provided int the URL",  # noqa: E501 - Meta's sentence, typo included
    (100, 2018074): "The attachment id is not valid or is not owned by this account",
    (100, 2018109): "The attachment size exceeds the allowed limit",
    (100, 2018294): "The video is corrupt or could not be fetched within 75 seconds",
    (100, 2534013): "The Page is not linked to an Instagram account",
    (100, 2534014): "No matching Instagram user",
    (100, 2534015): "Invalid message data",
    (100, 2534025): "The comment is invalid for a private reply",
    (100, 2534029): "The business is blocked from the Instagram Messaging API",
    (100, 2534037): "The app is not the owner of the thread",
    (102, None): "Session key invalid or no longer valid",
    (190, None): "Invalid OAuth access token - Cannot parse access token",
    (190, 458): "Error validating access token: The user has not authorized application {app}.",
    (
        190,
        459,
    ): "Error validating access token: You cannot access the app till you log in to www.facebook.com and follow the instructions given.",  # noqa: E501 - Meta's sentence
    (
        190,
        460,
    ): "Error validating access token: The session has been invalidated because the user changed their password or Facebook has changed the session for security reasons.",  # noqa: E501 - Meta's sentence
    (190, 463): "Error validating access token: Session has expired on {expired}. The current time is {now}.",
    (
        190,
        464,
    ): "Error validating access token: Sessions for the user are not allowed because the user is not a confirmed user.",  # noqa: E501 - Meta's sentence
    (190, 467): "Error validating access token: The session is invalid because the user logged out.",
    (190, 492): "Error validating access token: Session does not match current stored session.",
    (200, None): "Permissions error",
    (
        200,
        2018028,
    ): "Cannot message users who are not admins, developers or testers of the app until the permission is reviewed and the app is live.",  # noqa: E501 - Meta's sentence
    (200, 1545041): "This person isn't available right now.",
    (200, 2534041): "The owner of this Instagram account has disabled access to messages.",
    (230, None): "User consent is required to access user profile",
    (341, None): "Application limit reached",
    (368, None): "The action attempted has been deemed abusive or is otherwise disallowed",
    (551, None): "This person isn't available right now.",
    (551, 1545041): "This person isn't available right now.",
    (613, None): "Calls to this api have exceeded the rate limit.",
    (613, 2534040): "Calls to this api have exceeded the Instagram rate limit.",
    (613, 1996): "Calls to this api have exceeded the rate limit: the volume is erratic.",
    (613, 2018338): "The message tag has been used abusively.",
    (613, 1893016): "Too many opt-in requests.",
    (1200, None): "Temporary send message failure. Please try again later.",
    (2022, None): "Commerce messages are disabled",
    (9010, None): "No matching Instagram user",
    (36103, None): "This creator account is not eligible for the API yet",
    (80001, None): "There have been too many calls to this Page account.",
    (80002, None): "There have been too many calls to this Instagram account.",
    (80006, None): "There have been too many calls to this Messenger account.",
    (9000001, None): "The message has been deleted",
    (2018300, None): "Another app is controlling this thread now",
    (2018218, None): "No profile available for this user",
    (2018247, None): "Insufficient permission to access the user profile",
    (2534001, None): "The thread was archived or deleted by its owner",
}
_TRANSIENT = {-1, 2, 4, 17, 32, 341, 613, 1200, 80001, 80002, 80006}
_GRAPH_METHOD = {(100, 33)}


@dataclass(slots=True)
class GraphError(Exception):
    """An error response of the Graph API."""

    code: int
    subcode: int | None = None
    message: str | None = None
    status: int | None = None
    type: str | None = None
    user_title: str | None = None
    user_msg: str | None = None

    def wording(self) -> str:
        """Return the message without any prefix."""
        known = WORDING.get((self.code, self.subcode)) or WORDING.get((self.code, None))
        return self.message or known or "An unknown error occurred"

    def answer(self, flavour: Flavour) -> tuple[Json, int]:
        """Return body and HTTP status in one road's format.

        F returns HTTP 400, ``OAuthException`` and ``(#10) ...``; I returns ``IGApiException``, no prefix, and
        403 for problems with permissions or the window.
        """
        body: Json = {"message": self.wording()}
        session = self.code in (102, 104, 190, 2500)
        if flavour is Flavour.I:
            body["type"] = self.type or ("OAuthException" if session else "IGApiException")
            status = 403 if self.code in (3, 10) or 200 <= self.code < 300 else 400
        else:
            method = (self.code, self.subcode) in _GRAPH_METHOD
            body["type"] = self.type or ("GraphMethodException" if method else "OAuthException")
            if not session and not method and self.type != "GraphMethodException":
                body["message"] = f"(#{self.code}) {body['message']}"
            status = 400
        body["code"] = self.code
        if self.subcode is not None:
            body["error_subcode"] = self.subcode
        if self.code in _TRANSIENT:
            body["is_transient"] = True
            status = 500 if self.code in (-1, 2, 1200) else status
        if self.user_title:
            body["error_user_title"] = self.user_title
        if self.user_msg:
            body["error_user_msg"] = self.user_msg
        body["fbtrace_id"] = ids.trace_id()
        return {"error": body}, self.status or status


def missing_object(object_id: str) -> GraphError:
    """Return the error for an id this token cannot see (100/33)."""
    return GraphError(
        100,
        33,
        f"Unsupported request. Object with ID '{object_id}' does not exist, cannot be loaded due "
        "to missing permissions, or does not support this operation. Please read the Graph API "
        "documentation at https://developers.facebook.com/docs/graph-api",
    )
