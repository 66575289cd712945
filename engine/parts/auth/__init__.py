"""How requests are signed."""

WORDS = ("none", "choose", "bearer", "api_key", "oauth2_client_credentials", "google_service_account")
