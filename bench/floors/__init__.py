"""The least each figure can cost: programs of a screenful that do only that."""
