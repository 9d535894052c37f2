"""A stand-in for a language model: speaks OpenAI's chat completions and Anthropic's messages.

It answers from the sources it is given, the same each time, or as ordered at ``/_control``.
"""
