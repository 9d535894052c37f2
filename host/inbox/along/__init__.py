"""What goes along with a message besides its text: which address of the account it goes from."""
