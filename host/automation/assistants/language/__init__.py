"""Language models: which there are, and asking one, through the guard and within a time that holds."""
