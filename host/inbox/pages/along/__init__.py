"""What goes along with a reply: whom else it goes to, its subject, the signature beneath it."""
