# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import threading
from datetime import timedelta
from functools import partial

import pytest

from lessonspace_provider.archive.text_redaction import SPOKEN_NAMES, TextRedaction, as_text_redaction
from lessonspace_provider.bulk.rows import HiddenRows
from lessonspace_provider.exceptions import LessonspaceInputError, LessonspaceNotFoundError, LessonspaceServerError
from tests.unit.archive.kit import END, NOT_READY, NOW, START, a_session, archive_late, entries_of, good, tree

FORMATS = ["json", "jsonl", "txt", "vtt", "srt", "csv"]


def said(*texts, name="Ann Lee"):
    return [
        {"start_time": float(at), "end_time": at + 1.0, "user": {"id": 1, "name": name}, "text": text}
        for at, text in enumerate(texts)
    ]


def spoken(*names, **diminutives):
    return as_text_redaction(True, list(names), diminutives or None, None)


def texts_in(tmp_path):
    (file,) = tmp_path.rglob("*-*.json")
    return [segment["text"] for segment in json.loads(file.read_text())]


def without_e(text):
    return text.replace("e", "")


@pytest.fixture
def archive(archiver, source):
    """Archive a session in which Ann Lee speaks and Ben listens; give its entry."""
    source.outcomes[good(1)] = said("Ben, read. Ann's turn, said Cleo.", "Well, ben?")

    def run(*, texts=None, formats=FORMATS, **layout):
        layout = {"formats": formats, "texts": texts or TextRedaction(), **layout}
        (entry,) = entries_of(archiver(**layout).archive_window([a_session(1)], START, END))
        return entry

    return run


def test_names_of_who_speaks_and_who_listens_are_in_no_text_of_any_format(archive, tmp_path):
    entry = archive(texts=spoken("Cleo Hart"), redact_speakers=True)
    everything = b"".join(tree(tmp_path).values()).lower()
    for name in (b"ann", b"ben", b"cleo"):
        assert name not in everything
    assert texts_in(tmp_path) == ["[name], read. [name]'s turn, said [name].", "Well, [name]?"]
    assert (entry.spoken_names, entry.redacted_by) == (4, [SPOKEN_NAMES])


def test_manifest_has_the_count_and_no_name(archive, tmp_path):
    archive(texts=spoken("Cleo Hart"))
    (path,) = (tmp_path / "manifests").iterdir()
    (session,) = json.loads(path.read_text())["sessions"]
    assert (session["spoken_names"], session["redacted_by"]) == (4, ["spoken_names"])
    assert not [name for name in ("Ann", "Ben", "Cleo") if name in path.read_text()]


def test_manifest_without_redaction_is_as_before(archive, tmp_path):
    archive()
    (path,) = (tmp_path / "manifests").iterdir()
    assert not {"spoken_names", "redacted_by"} & json.loads(path.read_text())["sessions"][0].keys()


@pytest.mark.parametrize("formats", [FORMATS, ["jsonl"], ["txt", "json"]])
def test_redaction_reaches_what_was_archived_before_without_fetching(archive, source, tmp_path, formats):
    archive(formats=formats)
    source.asked.clear()
    entry = archive(formats=formats, texts=spoken("Cleo"))
    assert entry.spoken_names == 4
    assert not [name for name, data in tree(tmp_path).items() if b"Cleo" in data or b"Ben" in data]
    before = tree(tmp_path)
    assert archive(formats=formats, texts=spoken("Cleo")) == entry
    assert tree(tmp_path) == before
    assert source.asked == []


def test_names_given_later_are_redacted_in_what_is_there(archive, source, tmp_path):
    assert archive(texts=spoken()).spoken_names == 3
    source.asked.clear()
    assert archive(texts=spoken("Cleo")).spoken_names == 4
    assert source.asked == []
    assert "Cleo" not in "".join(texts_in(tmp_path))


def test_without_a_format_that_has_all_it_is_fetched_once(archive, source, tmp_path):
    archive(formats=["txt"])
    source.asked.clear()
    archive(formats=["txt"], texts=spoken("Cleo"))
    archive(formats=["txt"], texts=spoken("Cleo"))
    assert source.asked == [good(1)]
    assert not [data for data in tree(tmp_path).values() if b"Cleo" in data]


def test_a_run_without_redaction_leaves_redacted_files_as_they_are(archive, source, tmp_path):
    entry = archive(texts=spoken("Cleo"))
    before = tree(tmp_path)
    source.asked.clear()
    assert archive() == entry
    assert tree(tmp_path) == before
    next(tmp_path.rglob("*.srt")).unlink()
    assert archive() == entry
    assert tree(tmp_path) == before
    assert source.asked == []


@pytest.mark.parametrize("later", [{}, {"texts": TextRedaction(redact=without_e)}])
def test_names_of_speakers_do_not_come_back_while_the_text_would_too(archive, source, later):
    entry = archive(texts=spoken("Cleo"), redact_speakers=True)
    source.asked.clear()
    again = archive(**later)
    assert source.asked == []
    assert again == entry if not later else (again.status, again.redacted) == ("failed", True)


def test_a_run_without_redaction_never_fetches_what_was_redacted(archive, source, tmp_path):
    archive(texts=spoken("Cleo"))
    for file in tmp_path.rglob("2026/**/*.*"):
        file.unlink()
    source.asked.clear()
    entry = archive()
    assert entry.status == "failed"
    assert f"session {good(1)} was archived with redaction by spoken_names" in entry.reason
    assert source.asked == []
    assert archive(texts=spoken("Cleo")).spoken_names == 4


def test_a_killed_run_leaves_nothing_that_the_next_takes_for_redacted(archive, tmp_path):
    archive(formats=["json", "txt"])
    redacted = archive(formats=["json", "txt"], texts=spoken("Cleo"))
    manifest = next((tmp_path / "manifests").iterdir())
    after = tree(tmp_path)
    for lost in ("redacted_by", "spoken_names"):
        account = json.loads(manifest.read_text())
        account["sessions"] = [{k: v for k, v in entry.items() if k != lost} for entry in account["sessions"]]
        manifest.write_text(json.dumps(account))
    assert archive(formats=["json", "txt"], texts=spoken("Cleo")) == redacted
    assert tree(tmp_path).keys() == after.keys()


def test_people_of_a_late_transcript_are_asked_for_once(archiver, source, tmp_path):
    source.outcomes[good(1)] = NOT_READY
    texts = spoken()
    archiver(texts=texts).archive_window([a_session(1)], START, END)
    source.outcomes[good(1)] = said("Well done, Ben")
    asked = []
    source.get_session = lambda session_id: asked.append(session_id) or a_session(1)
    archive_late(archiver(NOW + timedelta(days=1), texts=texts), [])
    assert asked == [good(1)]
    assert texts_in(tmp_path) == ["Well done, [name]"]


@pytest.mark.parametrize(
    ("error", "status"),
    [(LessonspaceNotFoundError("404", status=404), "archived"), (LessonspaceServerError("503"), "failed")],
)
def test_a_removed_session_is_redacted_by_its_speakers(archive, archiver, source, tmp_path, error, status):
    def refuse(session_id):
        raise error

    archive(formats=["json"])
    source.get_session = refuse
    (entry,) = entries_of(archiver(texts=spoken("Cleo"), formats=["json"]).archive_window([], START, END))
    assert entry.status == status
    redacted = ["Ben, read. [name]'s turn, said [name].", "Well, ben?"]
    assert texts_in(tmp_path) == (
        redacted if status == "archived" else ["Ben, read. Ann's turn, said Cleo.", "Well, ben?"]
    )


def test_labels_of_speakers_are_no_names(archive, tmp_path):
    archive(redact_speakers=True, formats=["json"])
    (file,) = tmp_path.rglob("*-*.json")
    assert json.loads(file.read_text())[0]["user"]["name"] == "Teacher"
    entry = archive(redact_speakers=True, formats=["json"], texts=spoken("Cleo"))
    assert entry.spoken_names == 4
    assert "Teacher" not in "".join(texts_in(tmp_path))


def test_undocumented_fields_are_left_out_since_they_may_repeat_the_text(archiver, source, tmp_path):
    source.outcomes[good(1)] = [{**said("Hi Ben")[0], "words": ["Hi", "Ben"], "breakout_id": "Ben's room"}]
    archiver(texts=spoken(), formats=["json"]).archive_window([a_session(1)], START, END)
    assert not [name for name, data in tree(tmp_path).items() if b"Ben" in data]


# redact=


def test_a_function_is_called_once_for_each_text_and_not_for_its_own_result(archive, source, tmp_path):
    calls = []

    def shout(text):
        calls.append(text)
        return f"<{text}>"

    entry = archive(texts=TextRedaction(redact=shout))
    assert calls == ["Ben, read. Ann's turn, said Cleo.", "Well, ben?"]
    assert entry.spoken_names == 0
    assert archive(texts=TextRedaction(redact=shout), formats=[*FORMATS[:3]]).redacted_by == entry.redacted_by
    assert len(calls) == 2
    assert texts_in(tmp_path) == ["<Ben, read. Ann's turn, said Cleo.>", "<Well, ben?>"]
    both = archive(texts=TextRedaction(spoken("Cleo").roster, without_e))
    assert texts_in(tmp_path) == ["<[nam], rad. [nam]'s turn, said [nam].>", "<Wll, [nam]?>"]
    assert set(both.redacted_by) == {*entry.redacted_by, "spoken_names", f"{__name__}.without_e"}


def test_one_thread_at_a_time_calls_the_function(archiver, source):
    busy = threading.Lock()

    def alone(text):
        assert busy.acquire(blocking=False)
        busy.release()
        return text

    sessions = [a_session(number) for number in range(1, 30)]
    window = archiver(texts=TextRedaction(redact=alone)).archive_window(sessions, START, END)
    assert window.manifest.counts["archived"] == 29


def leaking(text):
    raise ValueError(f"can't read {text}")


@pytest.mark.parametrize(
    ("function", "message"), [(leaking, "raised ValueError"), (lambda text: None, "returned NoneType")]
)
def test_an_error_of_the_function_names_the_session_and_not_the_text(archive, log, tmp_path, function, message):
    entry = archive(texts=TextRedaction(redact=function))
    assert entry.status == "failed"
    assert f"redact failed for session {good(1)}" in entry.reason
    assert message in entry.reason
    told = [entry.reason, *log.lines, *log.warnings, *(data.decode() for data in tree(tmp_path).values())]
    assert not [line for line in told if "Ann's" in line or "Cleo" in line]


def test_functions_are_known_by_their_names():
    class Recogniser:
        def __call__(self, text):
            return text

    assert TextRedaction(redact=partial(without_e)).kinds == (f"{__name__}.without_e",)
    assert TextRedaction(redact=Recogniser()).kinds[0].endswith("Recogniser")


# Parameters


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (("yes", None, None, None), "redact_spoken_names='yes'"),
        ((False, ["Anna"], None, None), "extra_names needs redact_spoken_names=True"),
        ((False, None, {}, None), "diminutives needs redact_spoken_names=True"),
        ((True, [1], None, None), "extra_names was refused"),
        ((True, ["Anna", " "], None, None), "extra_names was refused"),
        ((True, {"Anna": 1}, None, None), "extra_names was refused"),
        ((True, "names.csv", None, None), "extra_names"),
        ((True, None, ["Lisbeth"], None), "diminutives was refused"),
        ((True, None, {"Lisbeth": [1]}, None), "diminutives was refused"),
        ((False, None, None, "presidio"), "redact was refused"),
    ],
)
def test_bad_parameters_are_refused_without_the_names(parameters, message):
    with pytest.raises(LessonspaceInputError, match=message) as caught:
        as_text_redaction(*parameters)
    assert not [name for name in ("Anna", "Lisbeth", "presidio") if name in str(caught.value)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("users.jsonl", '{"user": {"id": 1}, "name": "Cleo Hart", "role": "student"}\n{"name": null}\n'),
        ("users.csv", "name\nCleo Hart\n"),
    ],
)
def test_further_names_are_read_from_a_file(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    redaction = as_text_redaction(True, f"file://{tmp_path}/{name}", None, None)
    assert redaction.roster.redact("hi cleo hart")[0] == "hi [name]"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("users.jsonl", '{"name": "Cleo"}\n{"name": "Anna}\n{"name": "Ben"}\n', "at line 2: it is no JSON"),
        ("users.jsonl", '{"Name": "Anna"}\n', "at line 1: it has no field name"),
        ("users.jsonl", '{"name": ["Anna"]}\n', "at line 1: its name is no text"),
        ("users.csv", "Anna\nBen\n", "name"),
    ],
)
def test_a_file_whose_names_can_not_all_be_read_is_refused(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(LessonspaceInputError, match=message) as caught:
        as_text_redaction(True, f"file://{tmp_path}/{name}", None, None)
    assert "Ben" not in str(caught.value)


def test_further_names_come_as_airflow_has_rendered_them():
    assert as_text_redaction(True, HiddenRows(["Cleo"]), None, None).roster.redact("Cleo")[1] == 1


@pytest.mark.parametrize("is_first", [True, False])
def test_summaries_are_redacted_as_texts_are(archiver, tmp_path, is_first):
    listed = [a_session(1, summary="Ben read well, and Cleo's turn is next.")]
    if not is_first:
        archiver(summaries=True).archive_window(listed, START, END)
    texts = TextRedaction(spoken("Cleo").roster, without_e)
    (entry,) = entries_of(archiver(summaries=True, texts=texts).archive_window(listed, START, END))
    (file,) = tmp_path.rglob("*.summary.txt")
    assert file.read_text() == "Studnt rad wll, and [nam]'s turn is nxt.\n"
    before = tree(tmp_path)
    (again,) = entries_of(archiver(summaries=True, texts=texts).archive_window(listed, START, END))
    assert again == entry
    assert tree(tmp_path) == before


SUMMARY = "Ben read well, and Cleo's turn is next."


@pytest.fixture(params=["without a transcript", "with one"])
def redacted_summary(archiver, source, tmp_path, request):
    """Archive a summary with redaction; give the ways to run again, and what is there now."""
    if request.param == "without a transcript":
        source.outcomes[good(1)] = NOT_READY
    texts = TextRedaction(spoken("Cleo").roster, without_e)

    def run(summary=SUMMARY, **layout):
        listed = [a_session(1, summary=summary)]
        return archiver(summaries=True, **layout).archive_window(listed, START, END)

    (entry,) = entries_of(run(texts=texts))
    assert entry.summary["redacted_by"] == [SPOKEN_NAMES, f"{__name__}.without_e"]
    return run, texts


def summary_text(tmp_path):
    (file,) = tmp_path.rglob("*.summary.txt")
    return file.read_text()


@pytest.mark.parametrize(
    "layout", [{}, {"redact_speakers": True}, {"texts": TextRedaction(None, without_e)}], ids=["off", "roles", "one"]
)
def test_a_later_run_with_less_redaction_leaves_a_summary_as_it_is(archiver, tmp_path, redacted_summary, layout):
    run, _ = redacted_summary
    (before,) = tmp_path.rglob("*.summary.txt")
    content = before.read_bytes()
    window = run(**layout)
    archive_late(archiver(summaries=True, **layout), [a_session(1, summary=SUMMARY)])
    assert [entry for entry in window.failed if "summary" in entry.reason] == []
    assert before.read_bytes() == content
    (entry,) = entries_of(window)
    assert entry.summary["redacted_by"] == [SPOKEN_NAMES, f"{__name__}.without_e"]


@pytest.mark.parametrize("cause", ["newer", "lost"])
def test_another_summary_is_not_archived_without_the_redaction_of_the_last(tmp_path, redacted_summary, cause):
    run, texts = redacted_summary
    newer = "Ben left, says Cleo." if cause == "newer" else SUMMARY
    if cause == "lost":
        next(tmp_path.rglob("*.summary.txt")).unlink()
    before = tree(tmp_path)
    window = run(newer)
    assert [entry.session_id for entry in window.failed] == [good(1)]
    assert f"The summary of session {good(1)} was archived with redaction by spoken_names" in window.failed[0].reason
    files = {path: data for path, data in tree(tmp_path).items() if path.endswith(".summary.txt")}
    assert files == {path: data for path, data in before.items() if path.endswith(".summary.txt")}
    assert run(newer, texts=texts).failed == []
    assert not [name for name in ("Ben", "Clo") if name in summary_text(tmp_path)]


def test_a_further_function_is_applied_to_a_summary_that_stays_redacted(tmp_path, redacted_summary):
    run, _ = redacted_summary
    (entry,) = entries_of(run(texts=TextRedaction(None, str.upper)))
    assert summary_text(tmp_path) == "STUDNT RAD WLL, AND [NAM]'S TURN IS NXT.\n"
    assert entry.summary["redacted_by"][:2] == [SPOKEN_NAMES, f"{__name__}.without_e"]
    before = tree(tmp_path)
    run(texts=TextRedaction(None, str.upper))
    assert tree(tmp_path) == before
