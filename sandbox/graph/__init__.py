"""The parts of Meta's Graph API that Instagram messaging needs."""
