"""A stand-in for Meta's side of Instagram messaging: Graph API, webhooks, a phone.

The page tags in docstrings (``M2``, ``M5`` ...) are listed in ``sandbox/README.md``.
"""
