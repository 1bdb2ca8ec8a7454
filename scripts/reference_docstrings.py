# SPDX-License-Identifier: Apache-2.0
"""
How the API reference reads docstrings: mkdocstrings knows Markdown, and they hold what Sphinx and Airflow want.

mkdocs.yml names it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import griffe

_SEE_ALSO = re.compile(r"^\.\. seealso::\n +(.+): docs/(\w+)\.md(#[\w-]+)$", re.MULTILINE)
_ROLE = re.compile(r":(?:class|meth|attr):`~?([\w.]+)`")
_BLOCK_FOLLOWS = re.compile(r"(?<=\S)::$", re.MULTILINE)
_COMMENT = "#:"


def as_markdown(docstring: str) -> str:
    """Write in Markdown what stands in a docstring in Sphinx's own way."""
    linked = _SEE_ALSO.sub(r"\1: [\2](\2.md\3)", docstring)
    return _BLOCK_FOLLOWS.sub(":", _ROLE.sub(r"`\1`", linked))


def comment_above(lines: list[str], number: int) -> str:
    """
    Read what ``#:`` comments say of a constant.

    :param lines: the lines of its module.
    :param number: the line of the constant, from 1.
    :return: the comment's text, empty when there is none.
    """
    first = number - 1
    while first and lines[first - 1].strip().startswith(_COMMENT):
        first -= 1
    return "\n".join(line.strip().removeprefix(_COMMENT).strip() for line in lines[first : number - 1])


def fields_of(cls: griffe.Class) -> list[griffe.Attribute]:
    """
    Give the fields of a class that has nothing else, those of its base in the same module first.

    :param cls: any class.
    :return: none for one that has methods, or docstrings for its fields.
    """
    inherited = (cls.parent.members.get(str(base)) for base in cls.bases if cls.parent)
    fields = [field for base in inherited if isinstance(base, griffe.Class) for field in fields_of(base)]
    for member in cls.members.values():
        if not isinstance(member, griffe.Attribute) or member.annotation is None or member.docstring is not None:
            return []
        fields.append(member)
    return fields


def field_list(fields: list[griffe.Attribute]) -> str:
    """Write fields as a list in Markdown."""
    return "".join(f"\n- `{field.name}`: `{field.annotation}`" for field in fields)


class ReferenceDocstrings(griffe.Extension):
    """Gives all docstrings in Markdown, constants the comment above them, and dictionaries a list of their fields."""

    def on_attribute_instance(self, *, attr: griffe.Attribute, **_: Any) -> None:
        """Take the comment above a constant, which is how Sphinx documents one."""
        lines = attr.lines_collection[attr.filepath] if isinstance(attr.filepath, Path) else None
        if attr.docstring is None and lines and attr.lineno and (comment := comment_above(lines, attr.lineno)):
            attr.docstring = griffe.Docstring(comment, parent=attr)

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite a docstring."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)

    def on_class_members(self, *, cls: griffe.Class, **_: Any) -> None:
        """List the fields where the docstring does not: those of dictionaries, and of some dataclasses."""
        if cls.docstring is not None and ":param" not in cls.docstring.value and (fields := fields_of(cls)):
            cls.docstring.value += "\n" + field_list(fields)
