"""A stand-in for a language model that speaks OpenAI's chat completions and Anthropic's messages.

It answers deterministically from the given sources, or as ordered at ``/_control``.
"""
