"""Keys of signatures: how their bytes are written in a secret."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Literal

from engine.core.errors import ConfigError
from engine.core.filters import ENCODINGS
from engine.core.values import Secret

KeyEncoding = Literal["text", "hex", "base64"]


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text.translate({ord("-"): "+", ord("_"): "/"}) + "=" * (-len(text) % 4), validate=True)


READ: Mapping[str, Callable[[str], bytes]] = {"text": str.encode, "hex": bytes.fromhex, "base64": _from_base64}


def key_bytes(text: str, encoding: KeyEncoding) -> bytes:
    """The bytes of a key; raises ConfigError where it is not written so."""
    try:
        return READ[encoding](text)
    except (ValueError, binascii.Error):
        fix = "copy it again from the vendor, or correct key_encoding"
        raise ConfigError(f"the key is not written as {encoding}", fix) from None


def made_up(text: str, encoding: KeyEncoding) -> Secret:
    """A made-up text as a key that can be read: for the simulator."""
    return Secret(text if encoding == "text" else ENCODINGS[encoding](text.encode()), "key")
