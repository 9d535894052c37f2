"""Telegram channel, using the Bot API: messages to a bot become conversations in the inbox.

Documentation: https://core.telegram.org/bots/api
"""
