"""The WhatsApp Business Platform's Cloud API: calls, webhooks, and a customer to play.

Docstrings name Meta's pages by tag, all at developers.facebook.com below
``documentation/business-messaging/whatsapp``: W1 messages, W2 media, W3 error codes, W4 webhook reference of
messages, W5 of statuses, W6 of templates and accounts, W7 business-scoped user ids, W8 templates, W9 phone
numbers and accounts, W10 throughput, W11 pricing, W12 flows.
"""
