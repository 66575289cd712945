"""How requests are signed."""

WORDS = (
    "none",
    "choose",
    "bearer",
    "basic",
    "api_key",
    "tokens",
    "oauth2_client_credentials",
    "oauth2_refresh_token",
    "oauth2_password",
    "google_service_account",
    "jwt",
    "login",
    "digest",
    "hmac_signature",
    "aws_sigv4",
    "mtls",
)
