# SPDX-License-Identifier: Apache-2.0
"""Says why there was no whole reply, and what to do. Pure."""

from __future__ import annotations

import ssl

from lessonspace_provider.api.responses import Call
from lessonspace_provider.exceptions import (
    LessonspaceConnectionError,
    LessonspaceReplyTimeoutError,
    LessonspaceTlsError,
)

#: How OpenSSL calls an answer that is no TLS: up to 3.1, and from 3.2 on.
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")


def no_whole_reply(call: Call, seconds: float) -> LessonspaceReplyTimeoutError:
    """
    Make the error for a reply whose deadline passed.

    :param call: what was asked.
    :param seconds: that the reply had.
    """
    return LessonspaceReplyTimeoutError(
        f"{call}: the reply had not ended after {seconds:g} s (five times timeout): the connection or the server is "
        f"slow. Raise timeout in connection {call.conn_id!r} if this lasts.",
        method=call.method,
        path=call.path,
    )


def no_reply(error: BaseException, call: Call) -> LessonspaceConnectionError:
    """
    Make the error for a request that failed without a reply.

    :param error: of requests, urllib3 or Python. Its text may hold the URL, so only its kind is used.
    :param call: what was asked.
    """
    kind, what = _kind_and_reason(error, call)
    return kind(f"{call}: {what}", method=call.method, path=call.path)


def _kind_and_reason(error: BaseException, call: Call) -> tuple[type[LessonspaceConnectionError], str]:
    of_api = call.path.startswith("/")  # else it is a file's name
    host = f"the host of connection {call.conn_id!r}" if of_api else "the store behind the signed link"
    tls = _tls_error(error)
    if isinstance(tls, ssl.SSLCertVerificationError):
        return LessonspaceTlsError, (
            f"the server's certificate was refused ({getattr(tls, 'verify_message', tls.reason)}). Check {host}, or "
            f"let this machine trust its issuer (REQUESTS_CA_BUNDLE names a file of certificates)."
        )
    if tls is not None and tls.reason in _NO_TLS:
        advice = f"begin {host} with http://, or give the port that does" if of_api else f"check the way to {host}"
        return LessonspaceTlsError, f"the server, or a proxy before it, speaks no TLS there: {advice}."
    spelling = ", that it begins with the right http:// or https://," if of_api else ""
    return LessonspaceConnectionError, (
        f"no answer ({_kind_of(error)}). Check that this machine reaches {host}{spelling} and that the timeouts of "
        f"connection {call.conn_id!r} are long enough."
    )


def _tls_error(error: BaseException | None) -> ssl.SSLError | None:
    """Find Python's own error, which knows the reason, below those of requests and urllib3."""
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error


def _kind_of(error: BaseException) -> str:
    """Name the kind of a failure: urllib3's, which tells more than requests' own, where there is one."""
    cause = error.args[0] if error.args else error
    cause = getattr(cause, "reason", cause)
    return type(cause if isinstance(cause, Exception) else error).__name__
