"""How one page leads to the next."""

WORDS = ("none", "choose", "cursor", "offset", "page_number", "start_key")
