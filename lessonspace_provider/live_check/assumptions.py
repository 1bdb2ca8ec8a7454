# SPDX-License-Identifier: Apache-2.0
"""What this provider assumes of the live API: each assumption is registered beside the check that tests it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from lessonspace_provider.live_check.account import Account

DOCUMENTED = "vendor's reference"
VENDOR = "vendor's guides"
SEEN = "seen in programs that use the API"
GUESSED = "assumed here"

HOOK = "hooks.lessonspace:LessonspaceHook"

Verdict = Literal["holds", "does not hold", "could not be checked"]


@dataclass(frozen=True)
class Finding:
    """
    The result of a check.

    :param note: counts and statuses only, never text that the API sent.
    """

    verdict: Verdict
    note: str = ""


Check = Callable[["Account"], Finding]


@dataclass(frozen=True)
class Assumption:
    """
    An assumption about the API.

    :param name: the name of its check, with dashes.
    :param claim: one sentence.
    :param source: where it comes from.
    :param relied_on_in: the code that would be wrong without it: dotted names below ``lessonspace_provider``.
    :param check: tests it with an account.
    :param writes: the check launches a space.
    """

    name: str
    claim: str
    source: str
    relied_on_in: tuple[str, ...]
    check: Check
    writes: bool


#: All assumptions by name, in the order in which their modules register them.
ASSUMPTIONS: dict[str, Assumption] = {}


def assume(source: str, *relied_on_in: str, writes: bool = False) -> Callable[[Check], Check]:
    """
    Register an assumption with the decorated function as its check: its docstring is the claim.

    :param writes: the check launches a space.
    """

    def register(check: Check) -> Check:
        name, claim = check.__name__.replace("_", "-"), (check.__doc__ or "").rstrip(".")
        ASSUMPTIONS[name] = Assumption(name, claim, source, relied_on_in, check, writes)
        return check

    return register


def unknown(note: str) -> Finding:
    """Report that a check was inconclusive."""
    return Finding("could not be checked", note)


def finding(*, holds: bool, note: str = "") -> Finding:
    """Give the verdict on what could be seen."""
    return Finding("holds" if holds else "does not hold", note)


def all_of(entries: Iterable[object], what: str) -> Finding:
    """Give the verdict when each entry is true where the assumption holds."""
    seen = list(entries)
    if not seen:
        return unknown(f"there are no {what}")
    return finding(holds=all(seen), note=f"{sum(map(bool, seen))} of {len(seen)} {what}")


def is_integer(value: object) -> bool:
    """Whether a value is a JSON integer."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_filled(value: object) -> bool:
    """Whether a value is text with something in it."""
    return isinstance(value, str) and bool(value)
