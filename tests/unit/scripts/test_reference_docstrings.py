# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

griffe = pytest.importorskip("griffe", reason="the documentation's tools are not installed")
from scripts.reference_docstrings import ReferenceDocstrings, as_markdown, comment_above  # noqa: E402

MODULE = '''
#: Minutes before the lesson,
#: and after it.
MARGIN = 15

UNSAID = 3


class Wide(TypedDict):
    """What there is."""

    room: str
    number: int | None


class Deep(Wide, total=False):
    """And more."""

    more: bool


class Gate:
    """A gate."""

    place: str

    def pass_through(self):
        """Pass."""
'''


def loaded(tmp_path):
    (tmp_path / "sample.py").write_text(MODULE)
    extensions = griffe.load_extensions(ReferenceDocstrings)
    return griffe.load("sample", search_paths=[str(tmp_path)], extensions=extensions)


def test_a_guide_that_is_named_becomes_a_link():
    docstring = "Launch.\n\n.. seealso::\n    Take a look at the guide: docs/launching.md#join-links\n\nMore."
    assert as_markdown(docstring) == (
        "Launch.\n\nTake a look at the guide: [launching](launching.md#join-links)\n\nMore."
    )


def test_what_sphinx_links_is_set_as_code():
    assert as_markdown("See :class:`~a.B` and :meth:`join`::\n\n    code") == "See `a.B` and `join`:\n\n    code"


def test_markdown_stays_as_it_is():
    text = "A key is ``a::b``, or `c`:\n\n- d: e"
    assert as_markdown(text) == text


def test_a_comment_is_read_up_to_the_line_that_is_none():
    assert comment_above(["x = 1", "#: One,", "#: two.", "y = 2"], 4) == "One,\ntwo."
    assert comment_above(["#: One.", "", "y = 2"], 3) == ""


def test_a_constant_is_described_by_the_comment_above_it(tmp_path):
    sample = loaded(tmp_path)
    assert sample["MARGIN"].docstring.value == "Minutes before the lesson,\nand after it."
    assert sample["UNSAID"].docstring is None


def test_the_fields_of_a_dictionary_are_listed_with_those_it_has_from_another(tmp_path):
    sample = loaded(tmp_path)
    assert sample["Wide"].docstring.value == "What there is.\n\n- `room`: `str`\n- `number`: `int | None`"
    assert sample["Deep"].docstring.value == (
        "And more.\n\n- `room`: `str`\n- `number`: `int | None`\n- `more`: `bool`"
    )
    assert sample["Gate"].docstring.value == "A gate."
