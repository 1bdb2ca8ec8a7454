# SPDX-License-Identifier: Apache-2.0
"""The provider's errors: LessonspaceError and its subclasses."""

from __future__ import annotations

from typing import ClassVar


class LessonspaceError(Exception):
    """
    Base class of the provider's errors.

    ``code`` is a stable name of the class, for programs. Each code is an anchor in docs/reference/errors.md.

    :param message: what failed, for which session or space, and what to do. It contains no query of a URL, header, key
        or body.
    :param status: HTTP status of the last response; None without a response.
    :param method: HTTP method of the call; None if no call was made.
    :param path: path of the call without its query, e.g. ``/organisations/1/sessions/``.
    :param retry_after: seconds that the server asked to wait; None if it did not.
    """

    code: ClassVar[str] = "lessonspace_error"

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        method: str | None = None,
        path: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.method = method
        self.path = path
        self.retry_after = retry_after


def begin_with(subject: str, error: LessonspaceError) -> None:
    """
    Begin an error's message with what it is about.

    :param subject: one of many that were asked for, such as ``Space 'maths-7b'``.
    :param error: its class and attributes stay.
    """
    error.args = (f"{subject}: {error}",)


class LessonspaceInputError(LessonspaceError, ValueError):
    """A parameter was refused before any request. The message has its name, its value and what is allowed."""

    code = "invalid_argument"


class LessonspaceAuthError(LessonspaceError):
    """401 or 403: the API key is wrong, or the call is not allowed with it."""

    code = "authentication_failed"


class LessonspaceNotFoundError(LessonspaceError):
    """404: no such session, space or user in this organisation."""

    code = "not_found"


class LessonspaceBadRequestError(LessonspaceError):
    """Any other 4xx: the server refused the request. The message contains the server's own."""

    code = "bad_request"


class LessonspaceRateLimitedError(LessonspaceError):
    """The call got no permit, or 429 responses, for ``rate_limit_max_wait``."""

    code = "rate_limit_timeout"


class LessonspaceServerError(LessonspaceError):
    """5xx, or a response that the API does not document, after all retries."""

    code = "server_error"


class LessonspaceReplyTooLargeError(LessonspaceServerError):
    """A reply exceeded its size limit and was not read to its end. The call is not retried."""

    code = "reply_too_large"


class LessonspaceConnectionError(LessonspaceError):
    """No response: the connection was refused, broken or timed out, after all retries."""

    code = "connection_failed"


class LessonspaceReplyTimeoutError(LessonspaceConnectionError):
    """A reply had not ended after five times the connection's ``timeout``. The call is not retried."""

    code = "reply_timeout"


class LessonspaceTlsError(LessonspaceConnectionError):
    """The server's certificate was refused, or the server does not speak TLS. The call is not retried."""

    code = "tls_failed"


class LessonspaceDestinationError(LessonspaceError, OSError):
    """A destination can't be written or read: its store refused, or can't be reached."""

    code = "destination_failed"


class LessonspaceTranscriptNotReady(LessonspaceError):  # noqa: N818 - the design's public name
    """
    404 for a transcript: not ready yet, never to come, or no such session.

    The API does not distinguish the three cases. ``LessonspaceTranscriptSensor`` reads the session to do so.
    """

    code = "transcript_not_ready"


class LessonspaceDeliveryError(LessonspaceError):
    """Your ``deliver`` or ``deliver_many`` failed, did not run, or returned the launch as not delivered."""

    code = "delivery_failed"


class LessonspaceSettingRefusedError(LessonspaceError):
    """The space does not have a setting that the launch asked for, and ``on_setting_refused`` is ``"fail"``."""

    code = "setting_refused"


class LessonspaceAccountError(LessonspaceError):
    """The account of a bulk task is used by another run, or can't be read or written."""

    code = "account_unusable"


class LessonspaceJobError(LessonspaceError):
    """Items of a bulk task are not done. The account lists them."""

    code = "items_not_done"


#: Errors that may be over at a later call: outages, not mistakes. A certificate may be renewed.
PASSING_ERRORS = (LessonspaceConnectionError, LessonspaceRateLimitedError, LessonspaceServerError)


class LessonspaceLinkExpiredError(LessonspaceError):
    """The store refused a signed link. A link to a transcript works for about 12 hours."""

    code = "link_expired"
