"""Meta's Graph API as far as Instagram messaging needs it."""
