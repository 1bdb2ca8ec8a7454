# SPDX-License-Identifier: Apache-2.0
"""Operators for spaces: launch spaces, deliver a link to each person, and list spaces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast
from urllib.parse import urlsplit, urlunsplit

from lessonspace_provider.api.arguments import as_flag, as_positive, refuse, shown
from lessonspace_provider.api.fields import without_keys
from lessonspace_provider.api.foreign_words import clean_words
from lessonspace_provider.api.ids import is_slug
from lessonspace_provider.api.launch import DEFAULT_MARGIN, LAUNCH_PARAMETERS, launch_request
from lessonspace_provider.api.replaced_errors import ErrorsReplaced
from lessonspace_provider.api.shapes import text_or_none
from lessonspace_provider.api.times import read_time, write_time
from lessonspace_provider.api.types import Space
from lessonspace_provider.bulk.cells import Columns, launch_columns
from lessonspace_provider.bulk.launches import DEFAULTS, LaunchJob, plan_launches
from lessonspace_provider.bulk.rows import as_defaults
from lessonspace_provider.bulk.threads import WORKERS
from lessonspace_provider.exceptions import LessonspaceError, begin_with
from lessonspace_provider.links import LessonspaceSpaceLink
from lessonspace_provider.operators.base import LessonspaceListOperator, LessonspaceOperator
from lessonspace_provider.operators.bulk import JobResult, LessonspaceBulkOperator
from lessonspace_provider.output.delivery import log_frames
from lessonspace_provider.output.launch_delivery import Deliver, DeliverMany, LaunchDelivery

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath
    from airflow.sdk.bases.notifier import BaseNotifier

    from lessonspace_provider.api.types import AuthExternal, FilterValue, Launch, LaunchUser, Timeouts, Webhooks

#: The launch parameters that Airflow renders and then shows: all but durations, and ``auth_external`` with its token.
_TEMPLATED = tuple(name for name in LAUNCH_PARAMETERS if name not in ("join_early", "join_late", "auth_external"))


class LaunchResult(TypedDict, total=False):
    """The result of a launch in XCom; ``client_url`` only with ``push_client_url``, ``secret`` never."""

    room_id: str
    session_id: str
    user_id: int
    created: bool
    api_base: str
    room_settings: dict[str, object]
    client_url: str


class LessonspaceLaunchSpaceOperator(LessonspaceOperator):
    """
    Create a space, if it does not exist, and a join link for one person.

    Launch once per person: anyone with the link enters as that person. The same ``launch_id`` always leads to the same
    space, so a retry creates no second room. The link and the space's secret stay out of XCom: ``deliver`` gets the
    link inside the task. Every field has the API's name and shape. A field that is None is not sent.
    Airflow renders templates in all fields, also in values that ``expand_kwargs()`` takes from another task. Refuse
    ``{`` in text that others can write: otherwise a person called ``{{ conn... }}`` would receive the API key.

    Guide: docs/how-to/launch-one.md#launching

    :param launch_id: your own id of the space, 1 to 64 characters.
    :param deliver: a function ``deliver(launch, context)``, where ``launch`` is the API's response with the link in
        ``client_url`` and the launch's parameters in ``request``; or an Airflow notifier, rendered with ``launch`` in
        its context. If the delivery fails, the task fails. Its retry delivers another link to the same room, so a
        person may get two.
    :param deliver_secret: also pass ``secret`` to ``deliver``. It gives full control over the space.
    :param push_client_url: push ``client_url`` to XCom. Every user who may read XCom can then join as that person.
    :param on_setting_refused: what to do if the space has another value of a setting than was sent, such as
        ``transcribe`` without the add-on. ``"warn"`` logs the effect and delivers the link. ``"fail"`` fails the task:
        the space exists, and the link is not delivered.
    :param lesson_start: with ``lesson_end``, limits when the link works: from ``join_early`` before ``lesson_start`` to
        ``join_late`` after ``lesson_end``. Aware datetime or ISO 8601 text. Not together with ``timeouts``.
    :param lesson_end: see ``lesson_start``.
    :param join_early: timedelta or seconds.
    :param join_late: timedelta or seconds.
    :param client_ip: an IP address, sent as ``X-Forwarded-For``. The space is created in its region (reference).
    :param extra_options: further body fields, such as fields or webhooks that Lessonspace added later. They are not
        checked, and replace fields of the same name.
    :param name: the space's name; default ``launch_id``.
    :param allow_guests: let people join without a link of their own.
    :param record_av: record audio and video; a transcript needs it.
    :param record_content: record the board.
    :param transcribe: create a transcript. Set it on every launch: a launch without it turns transcription off.
    :param summarise: create a summary; needs ``transcribe``.
    :param user: the person whom the link is for, see ``LaunchUser``. Without it, the link is for a guest. Fields that
        are None are not sent; if all are None, the launch is refused.
    :param webhooks: URLs to call, see ``Webhooks``. They replace all webhooks of the space; ``""`` removes them.
        Unknown names are refused.
    :param timeouts: when the link works, see ``Timeouts``: at most 7 days, by default 7 days from now.
    :param features: see Lessonspace's guides. The API drops unknown features; the task logs a warning.
    :param theme: see Lessonspace's guides. The API drops invalid values.
    :param video_layout_mode: ``grid``, ``sidebar`` or ``floating``.
    :param locale: ``en``, ``fr``, ``it`` or ``pl``.
    :param server: the region.
    :param session_tags: a mapping of text to text.
    :param space_tags: a mapping of text to text.
    :param invite_url: the address behind the button "Invite others".
    :param resource_url: your resource library.
    :param holodeck_parameters: only if Lessonspace advised you to use it.
    :param auth_external: an external check before a person may join, see ``AuthExternal``. Templated, but not among
        Airflow's rendered fields, because it contains a token.
    :return: see ``LaunchResult``. ``created`` can be False for a space that this task created: after a lost response or
        a failed delivery, the next launch finds the space.
    :raises LessonspaceInputError: for a wrong parameter, before any request.
    :raises LessonspaceDeliveryError: if the delivery failed.
    :raises LessonspaceSettingRefusedError: see ``on_setting_refused``.
    :raises LessonspaceError: if the launch failed.
    """

    template_fields: Sequence[str] = ("lessonspace_conn_id", *_TEMPLATED)
    operator_extra_links = (LessonspaceSpaceLink(),)
    launch_id: str
    auth_external: AuthExternal | None

    def __init__(
        self,
        *,
        launch_id: str,
        deliver: Deliver | BaseNotifier | None = None,
        deliver_secret: bool = False,
        push_client_url: bool = False,
        on_setting_refused: Literal["warn", "fail"] = "warn",
        lesson_start: datetime | str | None = None,
        lesson_end: datetime | str | None = None,
        join_early: timedelta | float = DEFAULT_MARGIN,
        join_late: timedelta | float = DEFAULT_MARGIN,
        client_ip: str | None = None,
        extra_options: Mapping[str, object] | None = None,
        name: str | None = None,
        allow_guests: bool | None = None,
        record_av: bool | None = None,
        record_content: bool | None = None,
        transcribe: bool | None = None,
        summarise: bool | None = None,
        user: LaunchUser | None = None,
        webhooks: Webhooks | Literal[""] | None = None,
        timeouts: Timeouts | None = None,
        features: Mapping[str, object] | None = None,
        theme: Mapping[str, object] | None = None,
        video_layout_mode: Literal["grid", "sidebar", "floating"] | None = None,
        locale: str | None = None,
        server: str | None = None,
        session_tags: Mapping[str, str] | None = None,
        space_tags: Mapping[str, str] | None = None,
        invite_url: str | None = None,
        resource_url: str | None = None,
        holodeck_parameters: Mapping[str, object] | None = None,
        auth_external: AuthExternal | None = None,
        **kwargs: Any,
    ) -> None:
        given = locals()
        super().__init__(**kwargs)
        for parameter in LAUNCH_PARAMETERS:  # attributes, since Airflow renders those
            setattr(self, parameter, given[parameter])
        self.deliver = deliver
        self.deliver_secret = deliver_secret
        self.push_client_url = push_client_url
        self.on_setting_refused = on_setting_refused
        self.space_page: str | None = None

    def execute(self, context: Context) -> LaunchResult:
        """Launch, then deliver."""
        try:
            return self._launch_and_deliver(context)
        except LessonspaceError as error:
            if shown(self.launch_id) not in str(error):  # one task of a class knows no other name for it
                begin_with(f"Space {shown(self.launch_id)}", error)
            raise

    def _launch_and_deliver(self, context: Context) -> LaunchResult:
        delivery = LaunchDelivery(self.deliver, self.deliver_secret, self.on_setting_refused)
        delivery.check()
        as_flag("push_client_url", self.push_client_url)
        given = {name: getattr(self, name) for name in LAUNCH_PARAMETERS}
        request = launch_request({**given, "auth_external": self._rendered_auth_external(context)})
        for warning in request.warnings:
            self.log.warning("Space %r: %s.", request.launch_id, warning)
        launch = self.hook.send_launch(request.body, client_ip=request.client_ip)
        self.space_page = space_page(launch)
        room_id = clean_words(launch.get("room_id"), longest=100)
        self.log.info("Space %r is room %s, created: %s", self.launch_id, room_id, launch["created"])
        for sentence in delivery.settings_to_warn_of(request, launch):
            self.log.warning("Space %r: %s.", self.launch_id, sentence)
        (error,) = delivery.run([delivery.handed(launch, given)], context, self.log)
        if error:
            raise error
        self._report_link()
        return self._result(launch)

    def _report_link(self) -> None:
        if self.push_client_url:
            self.log.info("The link to space %r is in XCom (push_client_url).", self.launch_id)
        elif self.deliver is None:
            self.log.warning("The link to space %r was not delivered: set deliver or push_client_url.", self.launch_id)

    def _rendered_auth_external(self, context: Context) -> object:
        def failure(error: Exception) -> LessonspaceError:
            log_frames(self.log, "Rendering auth_external", error)
            return LessonspaceError(
                f"Space {self.launch_id!r} was not launched: the templates in auth_external can't be rendered "
                f"({type(error).__name__}, the log lists its frames). Nothing was sent."
            )

        with ErrorsReplaced(failure, Exception):  # which may hold the token
            return self.render_template(self.auth_external, context)

    def _result(self, launch: Launch) -> LaunchResult:
        kept = ("room_id", "session_id", "user_id", "created", "api_base", "room_settings")
        result = without_keys({name: launch[name] for name in kept if name in launch})  # type: ignore[literal-required]  # mypy reads no loop
        if self.push_client_url:
            result["client_url"] = launch.get("client_url")
        return cast("LaunchResult", result)


class LessonspaceLaunchSpacesOperator(LessonspaceBulkOperator):
    """
    Create many spaces and join links in one task, and deliver each link as soon as it exists.

    All launches are checked before the first is sent. A launch that can't be sent is reported with its place in the
    input, and the others are sent. The task fails at its end if any launch is not done. A retry launches only what is
    not done. After a kill, it also repeats the launches that were in flight.

    Guide: docs/how-to/launch-many.md#many-launches

    :param launches: a list of mappings with the parameters of ``LessonspaceLaunchSpaceOperator``, also from another
        task; or the path of a ``.jsonl`` file with a mapping per line, or of a ``.csv`` file with columns such as
        ``launch_id`` and ``user.name``, as ``ObjectStoragePath`` takes it. The field ``recipient`` is not sent:
        ``deliver`` gets it in ``launch["request"]``.
    :param account: a folder as ``ObjectStoragePath`` takes it, one for each run of the DAG, such as
        ``s3://aws_default@bucket/launches/{{ run_id }}``. Its file ``account.jsonl`` has one line per launch: status,
        reason, tries and time. It contains no link, secret or e-mail address.
    :param defaults: parameters for launches without their own; ``auth_external`` is not allowed here.
    :param deliver: see ``LessonspaceLaunchSpaceOperator``. It is called from several threads at a time.
    :param deliver_many: ``deliver_many(launches, context)`` for a mailing API that takes batches, in place of
        ``deliver``. ``launches`` is a list of what ``deliver`` gets. The function returns None, or a list of the
        launches that it could not deliver: these fail. If it raises, the whole batch fails. Calls never overlap. A
        notifier is rendered with ``launches`` in its context.
    :param deliver_batch_size: number of links per call of ``deliver_many``; the last call has the rest. After a kill,
        the batch that was being delivered is repeated.
    :param deliver_secret: also pass ``secret`` to ``deliver``. It gives full control over the space.
    :param on_setting_refused: see ``LessonspaceLaunchSpaceOperator``.
    :param on_refused: if some launches can't be sent, ``"continue"`` sends the others, ``"fail"`` sends none.
    :param accept_incomplete_file: if a file breaks off in its last line, use the lines before.
    :param max_links_per_space: if a space has more launches than this, all its launches are refused.
    :param account_names: also write ``user.name`` into the account.
    :param max_threads: number of launches and deliveries at a time. They share the rate limit of the API key.
    :return: see ``JobResult``.
    :raises LessonspaceInputError: for a wrong parameter, and for a file that can't be read to its end.
    :raises LessonspaceJobError: at the end, if launches are not done.
    """

    rows_parameter = "launches"
    template_fields: Sequence[str] = ("lessonspace_conn_id", "launches", "account", "defaults")

    def __init__(
        self,
        *,
        launches: Iterable[Mapping[str, object]] | str | ObjectStoragePath,
        account: str | ObjectStoragePath,
        defaults: Mapping[str, object] | None = None,
        deliver: Deliver | BaseNotifier | None = None,
        deliver_many: DeliverMany | BaseNotifier | None = None,
        deliver_batch_size: int = 50,
        deliver_secret: bool = False,
        on_setting_refused: Literal["warn", "fail"] = "warn",
        on_refused: Literal["continue", "fail"] = "continue",
        accept_incomplete_file: bool = False,
        max_links_per_space: int = 200,
        account_names: bool = False,
        max_threads: int = WORKERS,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            account=account,
            on_refused=on_refused,
            accept_incomplete_file=accept_incomplete_file,
            account_names=account_names,
            max_threads=max_threads,
            **kwargs,
        )
        self.launches = launches
        self.defaults = defaults
        self.deliver = deliver
        self.deliver_many = deliver_many
        self.deliver_batch_size = deliver_batch_size
        self.deliver_secret = deliver_secret
        self.on_setting_refused = on_setting_refused
        self.max_links_per_space = max_links_per_space

    @staticmethod
    def columns() -> Columns:
        """Give the columns of an input file of CSV."""
        return launch_columns()

    def execute(self, context: Context) -> JobResult:
        """Check all launches, then send and deliver those that are not done."""
        delivery = LaunchDelivery(self.deliver, self.deliver_secret, self.on_setting_refused, self.deliver_many)
        delivery.check()
        batch_size = as_positive("deliver_batch_size", self.deliver_batch_size)
        if self.account is None:
            raise refuse("account", None, "a folder: without one, a retry would deliver every link again")
        defaults = as_defaults(self.defaults, DEFAULTS)
        most = as_positive("max_links_per_space", self.max_links_per_space)
        if self.deliver is None and self.deliver_many is None:
            self.log.warning(
                "No link of these launches is delivered: set deliver or deliver_many. The account counts launches as "
                "done: later runs with this account do not deliver them."
            )
        job = LaunchJob(self.hook, delivery, context, self.log)
        try:
            return self._run_job(
                partial(plan_launches, defaults=defaults, max_links_per_space=most),
                job.send,
                complete=job.deliver,
                batch_size=1 if self.deliver_many is None else batch_size,
            )
        finally:
            job.report_settings()


def space_page(launch: Launch) -> str | None:
    """
    Give the page of a space, which lets no one in by itself.

    That it is the personal link without its query is an assumption; a link of any other shape gives None.

    :param launch: the API's answer.
    """
    try:
        link = urlsplit(str(launch.get("client_url")))
    except ValueError:
        return None
    if link.scheme not in ("http", "https"):  # Airflow's UI would follow any other as well
        return None
    if not launch.get("room_id") or link.path.rstrip("/").rpartition("/")[2] != launch["room_id"]:
        return None
    return urlunsplit((link.scheme, link.netloc.rpartition("@")[2], link.path, "", ""))


class SpaceSummary(TypedDict):
    """A space without its link; ``room_id`` is its slug, as launch calls it."""

    space_id: str | None
    room_id: str | None
    name: str | None
    created_at: str | None


class LessonspaceListSpacesOperator(LessonspaceListOperator[Space]):
    """
    List the organisation's spaces, for mapped tasks or into a file.

    Guide: docs/how-to/lists.md#spaces

    :param filters: the API's own names, as for ``LessonspaceHook.list_spaces``; times as aware datetimes or ISO 8601
        text with an offset.
    :param fields: None for ids, name and time (see ``SpaceSummary``); a list of the API's field names; or ``"all"`` for
        whole spaces. ``url``, which opens a space, is always left out.
    :param destination: a ``.jsonl`` file as ``ObjectStoragePath`` takes it, with one entry per line, written
        atomically. None: the list is the task's result, and must fit into XCom.
    :param chunk_size: return a list of lists with this many entries each, to map tasks over. Airflow maps over 1,024
        at most (``[core] max_map_length``). None: one list of entries.
    :return: a list with one entry per space; with ``destination``, see ``WrittenList``.
    :raises LessonspaceInputError: for a wrong parameter, before any request; and for a list that is too large for XCom.
    """

    def _list(self, filters: dict[str, FilterValue | None]) -> Iterator[Space]:
        return self.hook.list_spaces(**filters)

    def _short(self, entry: Space) -> SpaceSummary:
        space_id, room_id = entry.get("id"), entry.get("slug")
        created_at = read_time(entry.get("created_at"))
        return SpaceSummary(
            space_id=space_id if is_slug(space_id) else None,
            room_id=room_id if is_slug(room_id) else None,
            name=text_or_none(entry.get("name")),
            created_at=write_time(created_at) if created_at else None,
        )
