# SPDX-License-Identifier: Apache-2.0
"""A mail server for tests: it takes in what is sent, and delivers nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from html import unescape

from aiosmtpd.controller import Controller

from scripts.standalone import reserve_loopback_port


@dataclass
class Mailbox:
    """
    What came.

    :param connection: an Airflow connection to the server, as JSON.
    :param refusals: how many of the next mails the server refuses.
    """

    connection: str = ""
    refusals: int = 0
    mails: list[tuple[str, str]] = field(default_factory=list)

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Take in a mail."""
        if self.refusals:
            self.refusals -= 1
            return "451 not now"
        (part,) = message_from_bytes(envelope.content).get_payload()
        text = unescape(part.get_payload(decode=True).decode())
        self.mails += [(address, text) for address in envelope.rcpt_tos]
        return "250 taken"

    def links(self) -> list[tuple[str, str]]:
        """Each mail's address and the one link in it."""
        return [(address, link) for address, text in self.mails for link in re.findall(r"http\S+?(?=<br>|\s)", text)]


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    """Run a server on a free port of 127.0.0.1."""
    mailbox = Mailbox()
    with reserve_loopback_port() as reserved:
        port = reserved.getsockname()[1]
        controller = Controller(mailbox, hostname="127.0.0.1", port=port)
        controller.start()
        extra = {"from_email": "school@school.example", "disable_ssl": True, "disable_tls": True, "retry_limit": 0}
        mailbox.connection = json.dumps({"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra})
        try:
            yield mailbox
        finally:
            controller.stop()
