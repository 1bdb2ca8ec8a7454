# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between Airflow and Lessonspace: one base, LessonspaceError, and its kinds."""

from __future__ import annotations

from typing import ClassVar


class LessonspaceError(Exception):
    """
    Base of everything this provider raises.

    ``code`` is a stable name of the kind, for programs and for docs/reference/errors.md, where it is an anchor.

    :param message: what happened, to which session or space, and what to do; never a URL's query, a header,
        a key or a body.
    :param status: HTTP status of the last answer; None when there was no answer.
    :param method: HTTP method of the call, None when no call was made.
    :param path: path of the call without its query, e.g. ``/organisations/1/sessions/``.
    :param retry_after: seconds the server asked to wait, None when it named none.
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
    """A parameter was refused before any request: the message names it, its value and what is allowed."""

    code = "invalid_argument"


class LessonspaceAuthError(LessonspaceError):
    """401 or 403: the API key is wrong, or not allowed to do this."""

    code = "authentication_failed"


class LessonspaceNotFoundError(LessonspaceError):
    """404: no such session, space or user in this organisation."""

    code = "not_found"


class LessonspaceBadRequestError(LessonspaceError):
    """Any other 4xx: the server refused the request, its field messages are in the text."""

    code = "bad_request"


class LessonspaceRateLimitedError(LessonspaceError):
    """The key's requests per second are used up, and waiting longer than ``rate_limit_max_wait`` is not allowed."""

    code = "rate_limit_timeout"


class LessonspaceServerError(LessonspaceError):
    """5xx, or an answer that is not what the API documents, after all retries."""

    code = "server_error"


class LessonspaceReplyTooLargeError(LessonspaceServerError):
    """A reply was larger than any of its kind should be, and was not read to its end; it is not retried at once."""

    code = "reply_too_large"


class LessonspaceConnectionError(LessonspaceError):
    """No answer: connection refused, broken or timed out, after all retries."""

    code = "connection_failed"


class LessonspaceReplyTimeoutError(LessonspaceConnectionError):
    """A reply had not ended after five times the connection's ``timeout``; it is not retried at once."""

    code = "reply_timeout"


class LessonspaceTlsError(LessonspaceConnectionError):
    """No answer, and none at once on another try: the server's certificate was refused, or it speaks no TLS."""

    code = "tls_failed"


class LessonspaceDestinationError(LessonspaceError, OSError):
    """A destination can't be written or read: its store refused, or is not there."""

    code = "destination_failed"


class LessonspaceTranscriptNotReady(LessonspaceError):  # noqa: N818 - the design's public name
    """
    404 for a transcript: not ready yet, never to come, or no such session.

    The API does not distinguish the three: ``sessions.transcript_obstacle`` works out the second
    from the session's detail.
    """

    code = "transcript_not_ready"


class LessonspaceDeliveryError(LessonspaceError):
    """The DAG author's ``deliver`` failed, or was never run: its link went nowhere."""

    code = "delivery_failed"


class LessonspaceSettingRefusedError(LessonspaceError):
    """A launch asked for a setting, the space has another one, and ``on_setting_refused`` is ``"fail"``."""

    code = "setting_refused"


class LessonspaceAccountError(LessonspaceError):
    """The account of a job is used by another run, or can't be read or written."""

    code = "account_unusable"


class LessonspaceJobError(LessonspaceError):
    """Items of a job are not done; the account lists them."""

    code = "items_not_done"


#: What a later call may not meet any more: an outage, not a mistake. A certificate may be renewed.
PASSING_ERRORS = (LessonspaceConnectionError, LessonspaceRateLimitedError, LessonspaceServerError)


class LessonspaceLinkExpiredError(LessonspaceError):
    """The store refused a signed link: it works for a limited time, about 12 hours for transcripts."""

    code = "link_expired"
