"""One of several ways to sign in, named by a param."""

from typing import ClassVar

from pydantic import Field

from engine.core.kinds import Auth
from engine.core.settle import Choice


class Choose(Choice):
    """Signs in as the option says that a param names.

    The option is taken when a run is planned. Secrets that only the other options name need not be set.

    Misbehaving: As the option that is taken does.

    Example:
        params:
          sign_in: { doc: "oauth2 or key", default: oauth2 }
        secrets:
          client_id: { env: ACME_CLIENT_ID }
          client_secret: { env: ACME_CLIENT_SECRET }
          key: { env: ACME_API_KEY }
        connection:
          base_url: https://api.example.com
          auth:
            choose:
              by: ${param.sign_in}
              options:
                oauth2:
                  oauth2_client_credentials:
                    token_url: https://auth.example.com/oauth/token
                    client_id: ${secret.client_id}
                    client_secret: ${secret.client_secret}
                key: { api_key: { key: "${secret.key}", send: header.X-API-KEY } }
    """

    kind: ClassVar[str] = "auth"

    options: dict[str, Auth] = Field(min_length=1, description="The ways to sign in, each by a name of the page's own.")
