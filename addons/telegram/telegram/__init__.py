"""Telegram, by its Bot API: what people write to a bot is a conversation in the inbox.

Telegram's page, for everything here: https://core.telegram.org/bots/api
"""
