"""What comes out."""

WORDS = ("parquet", "csv", "json", "jsonl", "excel", "html")
