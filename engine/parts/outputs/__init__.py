"""What comes out."""

WORDS = ("parquet", "csv", "json", "jsonl", "html")
