# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from lessonspace_provider.archive.erasure.people import MARK, ErasedPeople, is_ambiguous, marks_of_id, marks_of_name

KEY = b"k" * 32


def people(*names, ids=(), mode="redact", force=False):
    marks = [mark for name in names for mark in marks_of_name(KEY, name, with_ambiguous=force)]
    marks += [mark for user_id in ids for mark in marks_of_id(KEY, user_id)]
    return ErasedPeople(KEY, [f"{mode}:{mark}" for mark in marks])


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("Ben Okafor", "Well done, Ben Okafor!", "Well done, [erased]!"),
        ("Ben Okafor", "BEN and okafor", "[erased] and [erased]"),
        ("Ben Okafor", "Ben's book, Bens Buch, Ben\u2019s", "[erased]'s book, [erased] Buch, [erased]\u2019s"),
        ("Ben Okafor", "Benjamin's bench, rubens", "Benjamin's bench, rubens"),
        ("Ben Okafor", "ben_okafor-maths", "[erased]-maths"),
        ("Ben Okafor", "Ben.\nOkafor", "[erased].\n[erased]"),
        ("José Núñez", "jose, Nunez, JOSE\u0301", "[erased], [erased], [erased]"),
        ("Jean-Luc", "jean luc, Luc", "[erased], [erased]"),
        ("O'Neil", "o'neil and Neil and O", "[erased] and [erased] and O"),
        ("May Rose", "May Rose may say a rose", "[erased] may say a rose"),
        ("May Rose", "Thanks, May. May I? May, come. A Rose", "Thanks, [erased]. May I? [erased], come. A [erased]"),
        ("Mark Lee", "Mark the page. Ask Mark's mother", "Mark the page. Ask [erased]'s mother"),
        ("Lily Vandermeer", "lily pads, Lily", "lily pads, [erased]"),
        ("Maria de la Cruz", "de la Maria De La", "de la [erased] De La"),
        ("J\u00fcrgen M\u00fcller", "Juergen Mueller, jurgen MULLER", "[erased] [erased], [erased]"),
        ("Conor O\u2019Neill", "Oneill, O'Neill", "[erased], O'[erased]"),
        ("Micha\u0142", "michal", "[erased]"),
        ("王小明", "老师说王小明很好", "老师说[erased]很好"),
        ("अनिता", "नमस्ते अनिता जी", "नमस्ते [erased] जी"),
        ("Фёдор", "спасибо, ФЕДОР", "спасибо, [erased]"),
        ("민준", "민준이가 왔다", "[erased]이가 왔다"),
        ("Thi", "This is the hi", "This is the hi"),
        ("İpek", "ipek", "[erased]"),
        (
            "Conor O'Neill",
            "O\u02bcNeill, O\u2018neill, Conor\u02bcs",
            "O\u02bc[erased], O\u2018[erased], [erased]\u02bcs",
        ),
        ("Ben Okafor", "Ok\u00adafor and B\u200ben\u200b", "[erased] and [erased]"),
        ("Ben Okafor", "Ben2011, okafor7, BenOkafor, OkaforBen1", "[erased], [erased], [erased], [erased]"),
        ("Ben Okafor", "benokafor@school.org", "[erased]@school.org"),
        ("ben.okafor@mail.org", "Ben writes mail and org", "[erased] writes mail and org"),
        ("@ben", "Ben", "[erased]"),
        ("Ben10", "Ben", "[erased]"),
        ("Jean-Luc", "JeanLuc, Jean\u2011Luc", "[erased], [erased]"),
        ("Jürgen Mueller", "Müller", "[erased]"),
        ("Þór", "Thor", "[erased]"),
        ("משה כהן", "אמר לכהן", "אמר [erased]"),
        ("محمد علي", "ومحمد مُحَمَّد", "[erased] [erased]"),
        ("王小明", "小明很好", "[erased]很好"),
        ("김민준", "민준이가", "[erased]이가"),
        ("Finn", "Finnさん、Finn이", "[erased]さん、[erased]이"),
        ("Grace Hill", "Ask Graces mother, Hills book", "Ask [erased] mother, [erased] book"),
        ("a b c d e f g h Zelda", "Zelda", "[erased]"),
        ("An Other", "another", "another"),
        ('C++ (Ben.*|"x")', "Ben, C and Cx", "[erased], C and Cx"),
    ],
)
def test_a_name_is_found_as_a_whole_word_in_any_case_and_script(name, text, expected):
    assert people(name).redacted(text)[0] == expected
    assert people(name).redacted(expected) == (expected, 0)


def test_labels_are_counted():
    assert people("Ben Okafor").redacted("Ben Okafor, ben, Ann")[1] == 2


def test_an_id_is_found_behind_the_word_user_and_elsewhere_only_on_demand():
    found = people(ids=[48151])
    assert found.redacted("User 48151: has 48151 and User 4815")[0] == "[erased]: has 48151 and User 4815"
    assert found.redacted("user 7, 48151", ids=True)[0] == "user 7, [erased]"
    assert people(ids=[17]).redacted("17 days, User 17", ids=True)[0] == "17 days, [erased]"
    assert [found.mode_of_id(value) for value in (48151, "48151", 4815, None, True)] == [
        "redact", "redact", None, None, None,
    ]  # fmt: skip


def test_a_uuid_in_a_text_is_not_changed():
    uuid = "0000ada1-4000-4000-8000-000000004000"
    assert people("Ada", ids=[4000]).redacted(f"{uuid}/4000", ids=True)[0] == f"{uuid}/[erased]"


@pytest.mark.parametrize("given", ["Okafor, Ben", "a b c d e f g h i", "BEN  okafor"])
def test_a_whole_name_is_recognised_in_any_order_and_length(given):
    found = people("Ben Okafor", "a b c d e f g h i")
    assert (found.mode_of_name(given), found.mode_of_name("Ben")) == ("redact", None)


def test_a_whole_name_is_recognised_and_a_part_of_it_is_not():
    found = people("Ben Okafor", mode="delete")
    assert [found.mode_of_name(name) for name in ("ben  OKAFOR", "Ben Lee", None, "")] == ["delete", None, None, None]


def test_delete_counts_where_a_person_has_both_modes():
    both = ErasedPeople(KEY, [*people(ids=[1]).marks, *people(ids=[1], mode="delete").marks])
    assert both.mode_of_id(1) == "delete"


def test_marks_hold_neither_ids_nor_names_and_depend_on_the_key():
    marks = people("Ben Okafor", ids=[48151]).marks
    assert all(MARK.fullmatch(mark) for mark in marks)
    assert "ben" not in "".join(marks)
    assert "48151" not in "".join(marks)
    assert not ErasedPeople(b"other", marks).redacted("Ben Okafor")[1]


@pytest.mark.parametrize("word", ["a", "x", "may", "the", "student", "17", "de"])
def test_common_words_and_single_letters_are_ambiguous(word):
    assert is_ambiguous(word)


def test_an_ambiguous_name_is_found_when_it_is_forced():
    assert people("May", force=True).redacted("Thanks, May")[0] == "Thanks, [erased]"
    assert people("May").redacted("Thanks, may")[1] == 0


def test_other_marks_are_left_aside():
    assert not ErasedPeople(KEY, ["redact:mail:" + "0" * 32, "x"])
