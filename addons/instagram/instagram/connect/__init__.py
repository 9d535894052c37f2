"""Connecting and disconnecting: sign-in with Meta, pasted credentials, the Meta app and its webhook."""
