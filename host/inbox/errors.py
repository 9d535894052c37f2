"""Why the inbox would not do something, in sentences an agent can act on."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from host.errors import ConflictError, InvalidError, NotFoundError


class ConversationNotFoundError(NotFoundError):
    """No such conversation in this workspace."""

    code = "conversation_not_found"
    title = _l("No such conversation")
    default_sentence = _l("This conversation does not exist in this workspace.")
    default_next_step = _l("Go back to the inbox.")


class MessageNotFoundError(NotFoundError):
    """No such message in this workspace."""

    code = "message_not_found"
    title = _l("No such message")
    default_sentence = _l("This message does not exist in this conversation.")
    default_next_step = _l("Reload the page and look again.")


class EmptyTextError(InvalidError):
    """Nothing to send."""

    code = "empty"
    title = _l("Nothing to send")
    default_sentence = _l("The text is empty, so nothing was sent.")
    default_next_step = _l("Write something first.")


class TooLongError(InvalidError):
    """Longer than the inbox takes, or than the channel does and the caller asked not to split."""

    code = "too_long"
    title = _l("The text is too long")
    default_sentence = _l("The text is too long, so nothing was sent.")
    default_next_step = _l("Make it shorter, or send it in several replies.")


class ReplyKeyError(InvalidError):
    """The form did not carry a usable key."""

    code = "reply_key"
    title = _l("The form was incomplete")
    default_sentence = _l("The form was incomplete, so nothing was sent.")
    default_next_step = _l("Reload the page and send it again.")


class AlreadySentError(ConflictError):
    """The same form was sent before, with another text."""

    code = "already_sent"
    title = _l("This form was sent before")
    default_sentence = _l("This form was already sent once, with another text. The new text was not sent.")
    default_next_step = _l("Look at the conversation, then send it again.")


class WindowClosedError(ConflictError):
    """The channel does not let us reply now."""

    code = "window_closed"
    title = _l("You cannot reply here now")
    default_sentence = _l("The channel does not allow a reply at the moment, so nothing was sent.")
    default_next_step = _l("It opens again when the customer writes.")


class PeopleOnlyError(ConflictError):
    """The channel lets only people write this late, and this would be sent by a program."""

    code = "people_only"
    title = _l("Only a person may answer now")
    default_sentence = _l("Only a person may still answer here, so this automatic message was not sent.")
    default_next_step = _l("Answer from the inbox.")


class ContactUnreachableError(ConflictError):
    """The provider said that this person takes no messages from us."""

    code = "contact_unreachable"
    title = _l("This person cannot be written to")
    default_sentence = _l("This person cannot receive messages from you, so nothing was sent.")
    default_next_step = _l("Reach them another way, or wait until they write.")


class UnknownChannelError(ConflictError):
    """The addon that brings the conversation's channel is not active."""

    code = "unknown_channel"
    title = _l("This channel is not active")
    default_sentence = _l("The addon for this channel is not active, so nothing can be sent through it.")
    default_next_step = _l("An admin can activate it again. The conversation stays readable.")


class AccountDisconnectedError(ConflictError):
    """The account the conversation came through was disconnected."""

    code = "account_disconnected"
    title = _l("The account is disconnected")
    default_sentence = _l("The account this conversation came through is disconnected, so nothing was sent.")
    default_next_step = _l("An owner can connect it again under Settings, Channels.")


class KindNotSupportedError(ConflictError):
    """The channel cannot send this kind of message."""

    code = "kind_not_supported"
    title = _l("This channel cannot send that")
    default_sentence = _l("This channel cannot send that kind of message, so nothing was sent.")
    default_next_step = _l("Send it another way.")


class NotAMemberError(InvalidError):
    """A conversation can only be given to somebody of the workspace."""

    code = "not_a_member"
    title = _l("Not a member")
    default_sentence = _l("This person is not a member of the workspace, so nothing was changed.")
    default_next_step = _l("Choose somebody from the list.")
