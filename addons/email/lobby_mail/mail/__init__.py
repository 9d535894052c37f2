"""Parsing of mails: author, content, and the message a mail answers."""
