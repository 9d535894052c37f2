"""Messages that a change of conversations may lead to, said before the change is made."""
