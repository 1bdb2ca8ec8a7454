# SPDX-License-Identifier: Apache-2.0
"""The weekly attendance report under a real Airflow, against the sandbox, and its page in a real browser."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timedelta

import pytest
from attendance.lessons import Person
from attendance.page import as_page
from attendance.sheet import COLUMNS

from lessonspace_provider.hooks.lessonspace import LessonspaceHook
from lessonspace_provider.operators.archive import LessonspaceArchiveTranscriptsOperator
from tests.attendance_week import ADA, BEN, EVE, GUEL, LONDON, MONDAY, NEXT_MONDAY, a_lesson, a_session, count
from tests.integration.browser import SCREENSHOTS
from tests.integration.conftest import load_dag

NOA = Person("נועה לוי", "n@h.example")
STRANGER = '=HYPERLINK("x")<script>document.title="bad"</script>'
TIMETABLE = """\
lesson,subject,days,start,end,teacher,students,cancelled
maths,Maths,Monday Tuesday,09:00,09:45,Ada Byron <ada@s.example>,Ben Ito <ben@h.example>; Gül Öz <guel@h.example>; \
נועה לוי <n@h.example>,
english,English <b>7b</b>,Wednesday,10:00,10:45,Eve Marsh <eve@s.example>,Ben Ito <Ben@h.example>,
evening,Evening class,Sunday,23:00,23:45,Eve Marsh <eve@s.example>,ben ito <ben@h.example>,2026-11-08 2026-11-15
broken,Nothing,Mondy,10:00,10:45,Eve Marsh <eve@s.example>,Ben Ito <ben@h.example>,
"""


@pytest.fixture
def school(lessonspace_connection, lessonspace_sandbox, monkeypatch, tmp_path):
    """A school with this timetable, without a session since the given midnight; its clock stands still there."""
    (tmp_path / "timetable.csv").write_text(TIMETABLE, encoding="utf-8")
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_TIMETABLE", str(tmp_path / "timetable.csv"))
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_ATTENDANCE", f"file://{tmp_path}/reports")
    control = lessonspace_sandbox.control

    def begin(midnight):
        control.reset(now=midnight - timedelta(days=1), speed=0, sessions_per_day=0)
        control.set_clock(midnight)  # what a new sandbox has running has ended before
        return control

    return begin


def the_dag():
    """Load the DAG; its task fails at once when it fails."""
    dag = load_dag("attendance_report")
    dag.get_task("report").retries = 0
    return dag


def launch(launch_id, person, role="student"):
    user = {"id": f"{person.name} <{person.email}>", "name": person.name, "email": person.email, "role": role}
    return LessonspaceHook().launch_space(launch_id, name="A room", user=user)["user_id"]


def play(control, launch_id, start, *events):
    """Let things happen so many minutes after a lesson's start, in their order; the session ends after the last."""
    for minute, what, user_id in events:
        control.set_clock(start + timedelta(minutes=minute))
        getattr(control, what)(launch_id, user_id=user_id)
    control.advance_clock(60)


def archive_with_talk(control, destination, launch_id, seconds):
    """Archive Monday; in one of its lessons the given users talk for so many seconds."""
    (session_id,) = (session.session_id for session in control.sessions() if session.launch_id == launch_id)
    segments = [
        {
            "start_time": 0.0,
            "end_time": length,
            "user": {"id": user_id, "name": "A"},
            "breakout_id": "main",
            "text": "well",
        }
        for user_id, length in seconds.items()
    ]
    control.set_transcript(session_id, "ready", segments=segments)
    LessonspaceArchiveTranscriptsOperator(
        task_id="archive",
        destination=destination,
        window_start=MONDAY,
        window_end=MONDAY + timedelta(days=1),
        formats=["json"],
        tables=True,
    ).execute({})


def figures(path):
    """Give the CSV's figures of everybody."""
    rows = csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline=""))
    return {(row["kind"], row["name"]): [row[column] for column in COLUMNS[4:]] for row in rows}


def test_a_known_week_has_these_figures_and_no_name_in_xcom_or_log(
    run_dag, xcom, school, tmp_path, all_said, monkeypatch
):
    """
    A small week.

    Monday's maths: Ada from 0 to 45; Ben from 10 to 20 and, back again, from 25 to 45; Gül from 0 to 40; Noa is absent.
    Tuesday's: Ada comes 12 minutes late, to 45; Ben from 0 to 45, Gül and Noa are absent. Wednesday's English: nobody.
    Thursday: a session of a stranger and a guest, of an hour, without a lesson. Only of Monday's maths there is a
    transcript: Ada talks for 90 seconds, Ben for 33.
    """
    control, monday, tuesday = school(MONDAY), MONDAY.replace(hour=9), MONDAY.replace(hour=9) + timedelta(days=1)
    first, second = "maths-2026-11-09", "maths-2026-11-10"
    ada, ben, guel = launch(first, ADA, "teacher"), launch(first, BEN), launch(first, GUEL)
    launch(first, NOA)
    play(
        *(control, first, monday, (0, "join", ada), (0, "join", guel), (10, "join", ben), (20, "leave", ben)),
        *((25, "join", ben), (40, "leave", guel), (45, "leave", ada), (45, "leave", ben)),
    )
    launch(second, ADA, "teacher")
    play(control, second, tuesday, (0, "join", ben), (12, "join", ada), (45, "leave", ada), (45, "leave", ben))
    thursday = MONDAY + timedelta(days=3, hours=15)
    end = thursday + timedelta(minutes=60, seconds=30)
    control.add_session(thursday, end, users=[STRANGER], guests=1, name="Chess")

    archive_with_talk(control, f"file://{tmp_path}/archive", first, {ada: 90, ben: 33})
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_ARCHIVE", f"file://{tmp_path}/archive")

    run = run_dag(the_dag(), NEXT_MONDAY + timedelta(hours=5))
    table, page = (tmp_path / "reports" / f"attendance-2026-W46.{kind}" for kind in ("csv", "html"))
    assert xcom(run, "report") == {
        "csv": f"file://{table}",
        "page": f"file://{page}",
        "lessons_planned": 3,
        "lessons_held": 2,
        "lessons_missed": 1,
        "lessons_unclear": 0,
        "rows_refused": 1,
        "sessions_without_a_lesson": 1,
        "billable_minutes": 151.5,
    }
    # planned, held, attended, %, times late, average and worst lateness, minutes, billable, sessions unsure, talk
    # A session ends 30 s after the last one left: two of 45.5 minutes are billed, and one of 60.5.
    assert figures(table) == {
        ("teacher", ADA.name): ["2", "", "2", "", "1", "6.0", "12.0", "78.0", "91.0", "0", "1.5"],
        ("teacher", EVE.name): ["1", "", "0", "", "0", "", "", "0.0", "0.0", "0", ""],
        ("student", BEN.name): ["3", "2", "2", "100.0", "1", "5.0", "10.0", "75.0", "91.0", "0", "0.6"],
        ("student", GUEL.name): ["2", "2", "1", "50.0", "0", "0.0", "0.0", "40.0", "45.5", "0", "0.0"],
        ("student", NOA.name): ["2", "2", "0", "0.0", "0", "", "", "0.0", "0.0", "0", ""],
        ("not in the timetable", f"'{STRANGER}"): ["", "", "", "", "", "", "", "60.0", "60.5", "0", ""],
        ("guest", "Guest 1"): ["", "", "", "", "", "", "", "60.0", "60.5", "0", ""],
        ("session without a lesson", "Chess"): ["", "", "", "", "", "", "", "60.5", "60.5", "", ""],
    }
    for path in (table, page):
        assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in page.parent.iterdir()) == [table.name, page.name]
    said = json.dumps(xcom(run, "report"), ensure_ascii=False) + all_said()
    assert "attendance-2026-W46" in said
    for person in (ADA, EVE, BEN, GUEL, NOA):
        assert person.name not in said
        assert person.email not in said
    assert STRANGER not in said


def test_a_week_with_odd_ends_has_these_figures_when_it_is_asked_for_by_hand(school, monkeypatch, tmp_path):
    """
    A week at whose end the clocks change, of people without addresses.

    Sunday evening before it: a lesson until ten past midnight. Tuesday's maths: Ada alone, 12 minutes late. Wednesday:
    Ben alone, without a lesson. Sunday's evening class ends after midnight, and Ben's session of that night still runs.
    Sessions that ended in the week's first moment, just before its last one, and then.
    """
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_LATE_MINUTES", "15")
    begin, end = datetime(2026, 3, 23, tzinfo=LONDON), datetime(2026, 3, 30, tzinfo=LONDON)
    control = school(begin - timedelta(days=1))
    control.set_clock(end + timedelta(days=2))

    def add(end, minutes, *people, **where):
        control.add_session(end - timedelta(minutes=minutes), end, users=[person.name for person in people], **where)

    for midnight in (begin, end):
        sunday = midnight - timedelta(days=1)
        add(midnight + timedelta(minutes=10), 70, EVE, BEN, launch_id=f"evening-{sunday.date()}")
    add(begin.replace(day=24, hour=9, minute=45), 33, ADA, launch_id="maths-2026-03-24")
    add(begin.replace(day=25), 30, BEN, name="alone")
    for name, moment in (("first", begin), ("last", end - timedelta(seconds=1)), ("next", end)):
        add(moment, 30, Person("Una Known", ""), Person("Vic Known", ""), name=name)
    control.add_session(end - timedelta(minutes=5), None, users=[BEN.name], name="homework")

    run = the_dag().test(logical_date=None, run_after=end + timedelta(days=2, hours=12))
    assert run.state == "success"
    table, page = (tmp_path / "reports" / f"attendance-2026-W13.{kind}" for kind in ("csv", "html"))
    found = figures(table)  # the sandbox bills nobody who was alone
    assert found["teacher", ADA.name] == ["2", "", "1", "", "0", "12.0", "12.0", "32.5", "0.0", "0", ""]
    assert found["teacher", EVE.name] == ["2", "", "1", "", "0", "0.0", "0.0", "69.5", "70.0", "0", ""]
    assert found["student", BEN.name] == ["4", "2", "1", "50.0", "0", "0.0", "0.0", "99.0", "70.0", "0", ""]
    assert {name for kind, name in found if kind == "session without a lesson"} == {"alone", "first", "last"}
    assert "homework</bdi>: still running" in page.read_text()


def a_large_week():
    """A school of 20 teachers with long names and 60 students, two of them of one name; much goes wrong."""
    teachers = [Person(f"Teacher {n} von und zu Langenscheid-Oberhausen", f"t{n}@s.example") for n in range(20)]
    students = [NOA, Person(NOA.name, "n2@h.example"), *(Person(f"Ö{n} Üztürk", f"s{n}@h.example") for n in range(58))]
    lessons = [a_lesson(n, teachers[n % 20], (students * 2)[n * 7 % 60 :][:9]) for n in range(80)]
    sessions = {
        lesson.launch_id: [
            a_session(
                lesson,
                *([(lesson.teacher, "teacher", n % 9, 45)] if n % 19 else []),
                *((s, "student", (n + i) % 13, 45) for i, s in enumerate(lesson.students) if (n + i) % 6),
                guests=[] if n % 17 else ["g"],
            )
        ]
        for n, lesson in enumerate(lessons)
        if n % 23
    }
    chess = a_session(lessons[0], (Person(STRANGER, ""), "student", 0, None), space={"name": "Chess"})
    return count(lessons, sessions, [chess], refused=["line 4: 'Mondy' is no weekday, date or 'daily'"])


BEYOND_ITS_PLOT = """
[...document.querySelectorAll("figure")].flatMap(figure => [...figure.querySelectorAll("th, td, .bar, .bar *")].filter(
    piece => piece.getBoundingClientRect().right > figure.getBoundingClientRect().right + 1)).length
"""


def test_the_page_fits_wide_and_narrow_windows_and_paper_and_asks_for_nothing(browser_page, tmp_path):
    page = tmp_path / "page.html"
    page.write_bytes(as_page(a_large_week(), "Europe/London"))
    requests = []
    browser_page.on("request", lambda request: requests.append(request.url))
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    browser_page.goto(page.as_uri())
    for width in (1280, 360):
        browser_page.set_viewport_size({"width": width, "height": 900})
        assert browser_page.evaluate("document.documentElement.scrollWidth") <= width
        assert browser_page.evaluate(BEYOND_ITS_PLOT) == 0
        browser_page.screenshot(path=SCREENSHOTS / f"attendance_report_{width}.png", full_page=True)
    browser_page.pdf(path=SCREENSHOTS / "attendance_report.pdf", format="A4")
    assert requests == [page.as_uri()]
    assert browser_page.title() == "Attendance 2026-W46"
    assert browser_page.locator("script").count() == 0
    assert browser_page.inner_text("h1") == "Attendance, 9 to 15 November 2026"
    assert browser_page.locator("h2").all_inner_texts()[:2] == ["What needs attention", "The week at a glance"]
    assert browser_page.locator("figure").count() == 3
    text = " ".join(browser_page.inner_text("main").split())
    for words in (
        "Rows of the timetable that can't be read: 1 Their lessons are missing from this report. line 4: 'Mondy' is no",
        "Lessons without a teacher: 8 Maths, Mon 9 Nov, 09:00, Teacher 0 von und zu Langenscheid-Oberhausen: no one "
        "came",
        f"{STRANGER}, 45 min",
        f"{NOA.name} n2@h.example",
    ):
        assert words in text
