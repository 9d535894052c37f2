"""Email channel: receives mail by IMAP or SMTP, and sends replies through the account's own mail server."""
