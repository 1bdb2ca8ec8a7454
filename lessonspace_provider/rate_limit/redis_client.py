# SPDX-License-Identifier: Apache-2.0
"""Make the client of the rate limit's Redis from an Airflow connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lessonspace_provider.exceptions import LessonspaceInputError

if TYPE_CHECKING:
    from redis import Redis

#: Seconds after which a Redis that does not respond counts as unavailable.
REDIS_TIMEOUT = 2.0


def redis_client(redis_conn_id: str) -> Redis:
    """
    Make a client, without connecting yet.

    :param redis_conn_id: an Airflow connection of type ``redis``; TLS settings in its extra are used.
    :return: a client that waits REDIS_TIMEOUT seconds at most for a response.
    :raises LessonspaceInputError: the redis provider is not installed, or the connection leads to a cluster.
    """
    try:
        from airflow.providers.redis.hooks.redis import RedisHook
        from redis import Redis
    except ImportError:
        raise LessonspaceInputError(
            "rate_limit_backend='redis' needs Airflow's redis provider: run pip install "
            "'airflow-provider-lessonspace[redis]' on every machine that runs tasks or the triggerer."
        ) from None
    client: object = RedisHook(redis_conn_id).get_conn()  # type: ignore[no-untyped-call]
    if not isinstance(client, Redis):
        raise LessonspaceInputError(
            f"Connection {redis_conn_id!r}: a Redis cluster can't keep the rate limit. Give a connection to one Redis "
            f"server."
        )
    kwargs = client.connection_pool.connection_kwargs
    kwargs.update(socket_timeout=REDIS_TIMEOUT, socket_connect_timeout=REDIS_TIMEOUT)
    kwargs.update(host=kwargs.get("host") or "localhost", port=kwargs.get("port") or 6379)  # the hook fills in neither
    return client
