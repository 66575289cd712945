"""How one page leads to the next."""

WORDS = (
    "none",
    "choose",
    "cursor",
    "link_header",
    "next_url",
    "offset",
    "page_number",
    "start_key",
    "time_window",
)
