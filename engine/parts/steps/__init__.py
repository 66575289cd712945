"""What is added to or changed on rows."""

WORDS = ("derive", "join", "lookup", "map", "mask", "explode", "rename", "drop")
