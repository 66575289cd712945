"""How one page leads to the next."""

WORDS = ("none", "cursor", "offset", "start_key")
