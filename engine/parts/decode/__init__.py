"""How answers that are no JSON become JSON."""

WORDS = ("base64", "csv", "gzip", "json", "jsonl", "xml", "zip")
