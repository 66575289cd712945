"""What must hold for rows and tables."""

WORDS = (
    "required",
    "unique",
    "one_of",
    "range",
    "pattern",
    "refers_to",
    "expression",
    "json_schema",
    "row_count",
    "freshness",
    "forbid",
    "columns_changed",
)
