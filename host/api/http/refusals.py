"""Error codes for messages and files, in addition to those of every route, and their meanings.

The sentences shown to people name the limit and the number; these describe the code.
"""

from __future__ import annotations

from host.api.http.declare import Refused

PARTS = (
    Refused(422, "bad_content", "The message is not put together as its kind has to be."),
    Refused(422, "buttons_text", "The text above buttons is empty or too long."),
    Refused(422, "card_address", "An address of a card is not a whole one."),
    Refused(422, "card_bare", "A card has nothing but its title."),
    Refused(422, "card_text", "A text of a card is empty or too long."),
    Refused(409, "copies_not_supported", "On the channel a message goes to one person alone."),
    Refused(422, "copy_address", "That is no address a copy can go to."),
    Refused(422, "no_mailing_list", "The newest message came through no mailing list."),
    Refused(409, "nothing_to_answer", "There is no message left that a public reply could answer."),
    Refused(422, "own_post", "That is no id and no address of a post."),
    Refused(422, "not_unique", "Two answers have the same title or payload, which the channel refuses."),
    Refused(422, "contact_card", "A contact card has a name, and a phone number or an email address."),
    Refused(422, "picture_missing", "The text shows a picture that is none of its files."),
    Refused(422, "picture_not_shown", "The text shows a file that is no GIF, JPEG, PNG or WebP."),
    Refused(422, "picture_twice", "The text shows a picture whose name two of its files have."),
    Refused(422, "private_alone", "A private reply is one text, and something came with it."),
    Refused(409, "private_not_supported", "On the channel no message can be answered privately."),
    Refused(409, "private_only", "Comments on this post take no public reply, as below a broadcast."),
    Refused(422, "product_id", "That is no id of a product."),
    Refused(422, "provider_file", "That is no id of a file at the provider."),
    Refused(409, "provider_files_not_supported", "The channel sends no file by an id of the provider."),
    Refused(422, "quick_replies_need_text", "Quick replies came without a text."),
    Refused(409, "quick_replies_not_supported", "The channel has no quick replies."),
    Refused(409, "quick_reply_ask", "On the channel a quick reply cannot ask for that, or not any more."),
    Refused(422, "quick_reply_payload", "What a quick reply sends is too long."),
    Refused(422, "quick_reply_title", "The title of a quick reply is empty or too long."),
    Refused(409, "quote_not_supported", "The channel cannot quote a message."),
    Refused(409, "quote_unknown", "That message cannot be quoted: it was not sent, or was taken back."),
    Refused(422, "sender_not_own", "The account has no such address to send from."),
    Refused(409, "subject_not_supported", "Messages of the channel have no subject."),
    Refused(422, "template_file", "The file does not match the header of the template."),
    Refused(409, "template_not_approved", "The template is in review, rejected, paused or disabled."),
    Refused(422, "template_parameter", "The value of a parameter is empty or too long."),
    Refused(422, "template_parameter_unknown", "The template has no such parameter."),
    Refused(422, "text_with_kind", "This kind of message has no text and no files."),
    Refused(422, "too_many_buttons", "A card or a text has more buttons than the channel takes."),
    Refused(422, "too_many_cards", "There are more cards than the channel takes."),
    Refused(422, "too_many_copies", "There are more copies than the channel sends."),
    Refused(422, "too_many_files", "There are more files than can be sent at once."),
    Refused(422, "too_many_products", "There are more products than the channel takes."),
    Refused(422, "too_many_quick_replies", "There are more quick replies than the channel takes."),
)
REACTIONS = (
    Refused(422, "emoji_not_allowed", "The channel takes no such reaction."),
    Refused(409, "reaction_unknown", "Nobody can react to that message: not sent, or taken back."),
    Refused(409, "reactions_not_supported", "The channel has no reactions."),
)
MODERATION = (
    Refused(409, "message_gone", "The message is not there any more: deleted, or taken back."),
    Refused(409, "moderation_not_supported", "That message cannot be hidden or deleted from here."),
)
FILES = (
    Refused(422, "broken_picture", "A picture is damaged or not complete."),
    Refused(422, "broken_sound", "A recording is damaged or not complete."),
    Refused(400, "empty", "A file is empty."),
    Refused(422, "file_missing", "There is no file."),
    Refused(422, "file_twice", "A file was given twice."),
    Refused(409, "not_reachable", "The picture of a card cannot be fetched from this desk by the provider."),
    Refused(422, "kind_not_allowed", "The channel takes no files of this kind."),
    Refused(422, "other_kind", "A file is of another kind than the message."),
    Refused(422, "picture_type", "Pictures of this type may give away where they were taken."),
    Refused(413, "too_large", "A file is larger than the channel or the desk takes."),
    Refused(413, "too_large_together", "The files of one message are larger than the channel takes."),
    Refused(422, "renamed", "A document is named like another type than its content has."),
    Refused(422, "too_many_pixels", "A picture has more pixels than can be looked at."),
    Refused(422, "type_not_allowed", "The channel takes no files of this type."),
    Refused(409, "upload_gone", "An upload is no longer there, or was sent already."),
)

FORWARDS = (
    Refused(422, "forward_address", "That is no address a message can be forwarded to."),
    Refused(422, "forward_customer", "That is the customer's own address: a reply goes there."),
    Refused(422, "forward_own", "That is the address it would go from."),
    Refused(422, "forward_nobody", "Nobody is named."),
    Refused(422, "forward_too_large", "The files are larger than a mail can be."),
    Refused(422, "too_many_recipients", "More people are named than the channel sends to at once."),
    Refused(422, "too_many_files", "There are more files than can be sent at once."),
)
