# SPDX-License-Identifier: Apache-2.0
"""Signed links to the store, in the manner of a pre-signed object-store URL."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from random import Random
from typing import Literal
from urllib.parse import urlencode

Verdict = Literal["valid", "missing", "wrong", "expired"]


class LinkSigner:
    """Signs links, and checks which still work.

    :param seed: of the signing secret.
    :param lifetime: seconds a link works.
    """

    def __init__(self, seed: int, lifetime: float) -> None:
        self._random = Random(f"lessonspace sandbox links {seed}")
        self._secret = self._random.randbytes(32)
        self._lifetime = lifetime
        self._generation = 0

    def sign(self, path: str, now: datetime) -> str:
        """Return the path with a signed query; no two calls return the same.

        :param path: in the store, with its leading slash.
        :param now: the sandbox's time (aware), from which the lifetime counts.
        """
        query = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Date": f"{now.timestamp():.6f}",
            "X-Amz-Expires": f"{self._lifetime:g}",
            "X-Amz-Credential": f"sandbox/{self._generation}/{self._random.getrandbits(64):016x}",
        }
        return f"{path}?{urlencode({**query, 'X-Amz-Signature': self._signature(path, query)})}"

    def check(self, path: str, query: Mapping[str, str], now: datetime) -> Verdict:
        """Return whether a link works now."""
        signature = query.get("X-Amz-Signature")
        if signature is None:
            return "missing"
        signed = {name: value for name, value in query.items() if name != "X-Amz-Signature"}
        if not hmac.compare_digest(signature.encode(), self._signature(path, signed).encode()):
            return "wrong"
        if int(signed["X-Amz-Credential"].split("/")[1]) < self._generation:
            return "expired"
        expires = float(signed["X-Amz-Date"]) + float(signed["X-Amz-Expires"])
        return "valid" if now.timestamp() < expires else "expired"

    def expire_all(self) -> None:
        """Let every link made so far have expired."""
        self._generation += 1

    def _signature(self, path: str, query: Mapping[str, str]) -> str:
        text = path + "?" + urlencode(sorted(query.items()))
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()
