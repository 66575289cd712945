"""How requests are signed."""

WORDS = ("none", "bearer", "api_key", "google_service_account")
