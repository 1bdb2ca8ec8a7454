# SPDX-License-Identifier: Apache-2.0
"""Launches a file as a task does, in a process that can be killed. Each link is delivered as a line of a file."""

from __future__ import annotations

import os
import sys

from lessonspace_provider.operators.spaces import LessonspaceLaunchSpacesOperator


def main(launches: str, account: str, mailbox: str, threads: str, batch_size: str = "1") -> None:
    """Launch, and append the id of each person to the mailbox when the link is delivered."""
    descriptor = os.open(mailbox, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def deliver(launch, context):
        os.write(descriptor, f"{launch['request']['user']['id']}\n".encode())

    def deliver_many(launches, context):
        for launch in launches:
            deliver(launch, context)

    deliveries = {"deliver": deliver}
    if int(batch_size) > 1:
        deliveries = {"deliver_many": deliver_many, "deliver_batch_size": int(batch_size)}
    LessonspaceLaunchSpacesOperator(
        task_id="launch", launches=launches, account=account, max_threads=int(threads), **deliveries
    ).execute({})


if __name__ == "__main__":
    main(*sys.argv[1:])
