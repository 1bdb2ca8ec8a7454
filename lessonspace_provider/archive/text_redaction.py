# SPDX-License-Identifier: Apache-2.0
"""Redact the text of an archive's transcripts and summaries: names that are spoken, or what a function finds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from lessonspace_provider.api.arguments import as_flag, refuse_hidden
from lessonspace_provider.api.shapes import objects_in
from lessonspace_provider.archive.paths import session_id_of
from lessonspace_provider.exceptions import LessonspaceError, LessonspaceInputError, LessonspaceNotFoundError
from lessonspace_provider.transcripts.redaction import speaker_names, with_texts
from lessonspace_provider.transcripts.segments import text_of

if TYPE_CHECKING:
    from lessonspace_provider.api.types import Segment, Session
    from lessonspace_provider.archive.entry import Entry
    from lessonspace_provider.bulk.items import Row
    from lessonspace_provider.transcripts.spoken_names import Roster

#: Replaces what must not be kept in a text.
Redact = Callable[[str], str]

#: Names the redaction of spoken names in a manifest.
SPOKEN_NAMES = "spoken_names"

#: Characters of the name of a function that are kept in a manifest.
LONGEST_FUNCTION = 200


@dataclass(frozen=True, repr=False)
class TextRedaction:
    """
    What is redacted in texts.

    :param roster: the names to redact beside those of each session's own people; None: spoken names stay.
    :param redact: called with each text; None for none.
    """

    roster: Roster | None = None
    redact: Redact | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """Name what is applied, for manifests."""
        spoken = () if self.roster is None else (SPOKEN_NAMES,)
        return spoken if self.redact is None else (*spoken, _name_of(self.redact))


def as_text_redaction(
    redact_spoken_names: object, extra_names: object, diminutives: object, redact: object
) -> TextRedaction:
    """
    Check the parameters of an operator; see ``LessonspaceArchiveTranscriptsOperator``.

    :raises LessonspaceInputError: for one that can't be used; the message holds no name.
    """
    is_wanted = as_flag("redact_spoken_names", redact_spoken_names)
    for name, given in (("extra_names", extra_names), ("diminutives", diminutives)):
        if given is not None and not is_wanted:
            raise LessonspaceInputError(f"{name} needs redact_spoken_names=True.")
    if redact is not None and not callable(redact):
        raise refuse_hidden("redact", redact, "a function that takes a text and returns one")
    if not is_wanted:
        return TextRedaction(None, redact)
    from lessonspace_provider.transcripts.spoken_names import Roster

    return TextRedaction(Roster(_names("extra_names", extra_names), _diminutives(diminutives)), redact)


def _names(parameter: str, given: object) -> list[str]:
    from lessonspace_provider.bulk.cells import Columns
    from lessonspace_provider.bulk.rows import HiddenRows, read_rows

    if isinstance(given, HiddenRows):
        given = given.rows
    if isinstance(given, str) or hasattr(given, "protocol"):
        return _names_of(parameter, read_rows(parameter, given, Columns(["name"], {"name": str})))
    allowed = "a list of names, or the path of a .jsonl or .csv file that has the field name"
    names = [] if given is None else given
    if not isinstance(names, (list, tuple, set, frozenset)) or not all(
        isinstance(name, str) and name.strip() for name in names
    ):
        raise refuse_hidden(parameter, given, allowed)
    return list(names)


def _names_of(parameter: str, rows: Iterable[Row]) -> list[str]:
    """Give the names in the rows of a file; a row that can't be read would leave its name in every text."""
    names = []
    for row in rows:
        name = row.values.get("name")
        problem = row.problem
        if not problem and "name" not in row.values:
            problem = "it has no field name. Lists of users have it with fields=['name']"
        elif not problem and not (name is None or isinstance(name, str)):
            problem = "its name is no text"
        if problem:
            raise LessonspaceInputError(f"{parameter} was refused at {row.place}: {problem}. Nothing was archived.")
        if isinstance(name, str):
            names.append(name)
    return names


def _diminutives(given: object) -> dict[str, list[str]]:
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise refuse_hidden(
            "diminutives", given, "lists of further forms by their names, as {'Elizabeth': ['Liz', 'Beth']}"
        )
    return {
        name: _names("diminutives", forms) if not isinstance(forms, str) else [forms] for name, forms in given.items()
    }


def _name_of(function: object) -> str:
    function = getattr(function, "func", function)
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', type(function).__module__)}.{name}"[:LONGEST_FUNCTION]


class SessionSource(Protocol):
    """The part of the hook that is used here."""

    def get_session(self, session_id: str) -> Session:
        """Get a session."""


class TextRedactor:
    """
    Redacts the texts of one run.

    :param source: the hook; asked for sessions whose people no list has shown.
    :param redaction: what is redacted.
    """

    def __init__(self, source: SessionSource, redaction: TextRedaction) -> None:
        self._source = source
        self._redaction = redaction
        self._listed: dict[str, tuple[str, ...]] = {}
        self._turn = Lock()

    def collect(self, sessions: Iterable[Session]) -> None:
        """Keep the names of the people in listed sessions."""
        if self._redaction.roster is not None:
            self._listed.update((session_id_of(session), _people_of(session)) for session in sessions)

    def kinds_after(self, before: Iterable[str]) -> tuple[str, ...]:
        """Name what is applied to texts that were redacted before."""
        return tuple(dict.fromkeys((*before, *self._redaction.kinds)))

    def lacking(self, redacted_by: Iterable[str] | None) -> list[str]:
        """Name what a text was redacted by, and this run does not have."""
        return sorted(set(redacted_by or ()) - set(self._redaction.kinds))

    def check_can_replace(self, what: str, session_id: str, redacted_by: Iterable[str] | None) -> None:
        """
        Refuse to archive a text again that was redacted by what this run does not have: it would be un-redacted.

        :param what: ``transcript`` or ``summary``.
        :raises LessonspaceError: the message names the session and what is missing.
        """
        if lacking := self.lacking(redacted_by):
            raise LessonspaceError(
                f"The {what} of session {session_id} was archived with redaction by {', '.join(lacking)}, and would be "
                f"archived again without. Run the window again with redact_spoken_names=True, or the same function for "
                f"redact."
            )

    @property
    def is_active(self) -> bool:
        """Whether anything is redacted."""
        return bool(self._redaction.kinds)

    @property
    def has_names(self) -> bool:
        """Whether names that are spoken are redacted."""
        return self._redaction.roster is not None

    def is_done(self, redacted_by: Iterable[str] | None) -> bool:
        """Whether all that is wanted was applied to a text, with the names known then."""
        return set(self._redaction.kinds) <= set(redacted_by or ())

    def finds_names(self, entry: Entry, segments: Collection[Segment]) -> bool:
        """Whether an archived transcript has names that are known now, without a call to the API."""
        if self._redaction.roster is None:
            return False
        roster = self._redaction.roster.with_names([*self._listed.get(entry.session_id, ()), *speaker_names(segments)])
        return any(roster.redact(text_of(segment))[1] for segment in segments)

    def redacted(
        self, session_id: str, segments: Collection[Segment], speakers: Iterable[str], redacted_by: Collection[str]
    ) -> Collection[Segment]:
        """
        Redact the text of a transcript.

        :param speakers: the names of its speakers.
        :param redacted_by: what it is redacted by already.
        :raises LessonspaceError: when the function fails, or the session's people can't be found out.
        """
        redact, roster = self._new_function(redacted_by), self._redaction.roster
        if roster is not None:
            roster = roster.with_names([*self._people(session_id), *speakers])
        elif redact is None:
            return segments
        return with_texts(segments, partial(self._redacted_text, session_id, roster, redact))

    def redacted_summary(self, session_id: str, text: str, redacted_by: Collection[str]) -> str:
        """
        Redact a summary, with the names of those people that a list has shown.

        :param redacted_by: what it is redacted by already.
        """
        redact, roster = self._new_function(redacted_by), self._redaction.roster
        if roster is not None:
            roster = roster.with_names(self._listed.get(session_id, ()))
        return self._redacted_text(session_id, roster, redact, text)

    def _new_function(self, redacted_by: Collection[str]) -> Redact | None:
        """Give the function; None if it was applied: it is not applied to its own result."""
        redact = self._redaction.redact
        return None if redact is not None and _name_of(redact) in redacted_by else redact

    def _redacted_text(self, session_id: str, roster: Roster | None, redact: Redact | None, text: str) -> str:
        if roster is not None:
            text, _ = roster.redact(text)
        if redact is None or not text:
            return text
        try:
            with self._turn:  # recognisers are rarely made for threads
                redacted = redact(text)
        except Exception as error:
            raise LessonspaceError(
                f"redact failed for session {session_id}: {_name_of(redact)} raised {type(error).__name__}. Its "
                f"message is not shown, since it may hold the text: test the function with texts of your own."
            ) from None
        if not isinstance(redacted, str):
            raise LessonspaceError(
                f"redact failed for session {session_id}: {_name_of(redact)} returned {type(redacted).__name__}, "
                f"and must return a text."
            )
        return redacted

    def _people(self, session_id: str) -> tuple[str, ...]:
        if session_id not in self._listed:
            try:
                self._listed[session_id] = _people_of(self._source.get_session(session_id))
            except LessonspaceNotFoundError:  # what the transcript itself names is left
                self._listed[session_id] = ()
        return self._listed[session_id]


def _people_of(session: Session) -> tuple[str, ...]:
    profiles = objects_in(session.get("profiles")) if isinstance(session, dict) else []
    names = (profile.get("name") for profile in profiles)
    return tuple(name for name in names if isinstance(name, str))
