# SPDX-License-Identifier: Apache-2.0
"""What all Lessonspace operators share: the connection's id, a hook made when first needed, and how lists are kept."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, Generic, Literal

import pendulum
from airflow.providers.common.compat.sdk import BaseOperator, conf

from lessonspace_provider.api.arguments import as_positive, refuse
from lessonspace_provider.api.fields import Fields, as_fields, pick, unpicked
from lessonspace_provider.hooks.on_worker import DEFAULT_CONN_ID, HookOnWorker
from lessonspace_provider.output.destinations import as_place
from lessonspace_provider.output.lists import Entry, as_lines_file, fit_for_xcom, write_lines

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath

    from lessonspace_provider.api.types import FilterValue
    from lessonspace_provider.output.lists import WrittenList


class LessonspaceOperator(HookOnWorker, BaseOperator):
    """
    Base of the operators.

    :param lessonspace_conn_id: the connection to use.
    """

    def __init__(self, *, lessonspace_conn_id: str = DEFAULT_CONN_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lessonspace_conn_id = lessonspace_conn_id


class LessonspaceListOperator(LessonspaceOperator, Generic[Entry]):
    """
    Base of the operators that list sessions, spaces or users.

    :param filters: the API's own names.
    :param fields: see ``fields.as_fields``.
    :param destination: see ``lists.as_lines_file``.
    :param chunk_size: see ``lists.fit_for_xcom``.
    """

    template_fields: Sequence[str] = ("lessonspace_conn_id", "filters", "fields", "destination")

    def __init__(
        self,
        *,
        filters: Mapping[str, FilterValue | None] | None = None,
        fields: Sequence[str] | Literal["all"] | None = None,
        destination: str | ObjectStoragePath | None = None,
        chunk_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.fields = fields
        self.destination = destination
        self.chunk_size = chunk_size

    def execute(
        self, context: Context
    ) -> Sequence[Mapping[str, object]] | list[list[Mapping[str, object]]] | WrittenList:
        """Read all pages."""
        fields, file = as_fields(self.fields), as_lines_file(self.destination)
        chunk_size = None if self.chunk_size is None else as_positive("chunk_size", self.chunk_size)
        if chunk_size is not None and file is not None:
            raise refuse("chunk_size", chunk_size, "left out where destination is given: a file has a line per entry")
        listed = self._list(as_filters(self.filters))
        kept = self._kept(listed, fields)
        if file is None:
            entries = fit_for_xcom(kept, chunk_size=chunk_size, most_mapped=self._most_mapped())
            self.log.info("Read %d %s into the task's result", len(entries), "chunks" if chunk_size else "entries")
            return entries
        written = write_lines(kept, file)
        self.log.info("Read %d entries and wrote them to %s", written["count"], written["path"])
        return written

    def _kept(self, listed: Iterable[Entry], fields: Fields) -> Iterator[Mapping[str, object]]:
        names: set[str] = set()
        for entry in listed:
            # Of all others only those of the first: a server could send a new name with each entry.
            names.update(entry if not names else set(entry).intersection(fields or ()))
            yield self._short(entry) if fields is None else pick(entry, fields)
        for sentence in unpicked(names, fields):
            self.log.warning("%s", sentence)

    def _most_mapped(self) -> int | None:
        """Give the length from which Airflow fails a task whose result others are mapped over; None without such."""
        if self.get_dag() is None or next(iter(self.iter_mapped_dependants()), None) is None:
            return None
        return int(conf.getint("core", "max_map_length", fallback=1024))

    @abstractmethod
    def _list(self, filters: dict[str, FilterValue | None]) -> Iterable[Entry]:
        """List the entries, lazily; refuse bad filters at once."""

    @abstractmethod
    def _short(self, entry: Entry) -> Mapping[str, object]:
        """Reduce an entry to what is worth keeping in XCom: no names of people, e-mails or links."""


def as_filters(filters: object) -> dict[str, FilterValue | None]:
    """
    Check filters as a whole; the hook checks each of them.

    :param filters: a mapping of the API's names to values, or None.
    :raises LessonspaceInputError: for anything else.
    """
    if filters is None:
        return {}
    if not isinstance(filters, Mapping) or not all(isinstance(name, str) for name in filters):
        raise refuse("filters", filters, "a mapping of the API's filter names to values")
    return dict(filters)


def as_folder(destination: object, parameter: str = "destination") -> ObjectStoragePath:
    """Check the folder that a task writes to."""
    return as_place(destination, "an absolute folder or a URL, such as 's3://aws_default@bucket/folder'", parameter)


def time_zone_of(dag: object) -> tzinfo | None:
    """
    Find the time zone of a DAG's schedule, by whose clocks it runs.

    :param dag: as it is in a task's context.
    :return: None where the schedule has none.
    """
    timetable: Any = getattr(dag, "timetable", None)
    try:
        # Airflow's own timetables give it only when they are serialised, those of the task SDK as a field.
        zone = timetable.serialize()["timezone"] if hasattr(timetable, "serialize") else timetable.timezone
        zone = pendulum.timezone(zone) if isinstance(zone, str) else zone
    except Exception:  # a timetable of a person's own
        return None
    return zone if isinstance(zone, tzinfo) else None
