"""How fast Lobby takes in, stores and shows what providers send, against floors measured in the same run."""
