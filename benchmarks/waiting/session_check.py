# SPDX-License-Identifier: Apache-2.0
"""What a user of the http provider's ``HttpEventTrigger`` has to write. It is reloaded for each response."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import requests


async def has_ended(response: requests.Response) -> bool:
    """Whether the session in an answer is over."""
    return response.json()["end_time"] is not None
