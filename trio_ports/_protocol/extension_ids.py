"""The id of an extension in Chromium, which makes it from a key or from the extension's folder.

Source: https://developer.chrome.com/docs/extensions/reference/manifest/key, and
Chromium's own ``crx_file/id_util``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from pathlib import PurePath, PureWindowsPath
from typing import Final

_DIGITS: Final = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
_BEFORE_MODULUS: Final = bytes.fromhex("30820122300d06092a864886f70d01010105000382010f003082010a02820101")
_AFTER_MODULUS: Final = bytes.fromhex("0203010001")
"""What stands round the modulus of a public RSA key of 2048 bits, in DER (RFC 5280); the exponent is 65537."""
_MODULUS_BYTES: Final = 256


def id_of_key(key: str) -> str:
    """Return the id that Chromium gives an extension with this ``key`` in its manifest.

    Args:
        key: base64, as in the manifest, or the text of a file with a public key (PEM).

    Raises:
        ValueError: Chromium would refuse the key.
    """
    text = "".join(line.strip() for line in key.splitlines() if not line.startswith("-----"))
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"a key is base64, and this is not: {error}") from error
    if not data:
        raise ValueError("the key is empty")
    return _id_of(data)


def id_of_folder(folder: PurePath) -> str:
    """Return the id that Chromium gives an unpacked extension without a key: it depends on the absolute path."""
    windows = isinstance(folder, PureWindowsPath)
    return _id_of(str(folder).encode("utf-16-le") if windows else str(folder).encode("utf-8", "surrogateescape"))


def new_key() -> str:
    """Return a new ``key`` for a manifest, which fixes the id of an unpacked extension.

    It has the form of a public RSA key of 2048 bits. Nobody knows the private half, and
    nobody needs it: a store signs with a key of its own.
    """
    modulus = secrets.randbits(8 * _MODULUS_BYTES) | 1 << 8 * _MODULUS_BYTES - 1 | 1
    data = _BEFORE_MODULUS + b"\0" + modulus.to_bytes(_MODULUS_BYTES, "big") + _AFTER_MODULUS
    return base64.b64encode(data).decode()


def _id_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32].translate(_DIGITS)
