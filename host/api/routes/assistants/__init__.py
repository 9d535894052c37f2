"""Routes about assistants: what each is, what it knows, and what it made of what customers wrote."""
