"""Language models: their settings, and asking one, through the guard and within a timeout."""
