# SPDX-License-Identifier: Apache-2.0
"""The weekly attendance report under a real Airflow, against the sandbox, and its page in a real browser."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timedelta, timezone

import pytest
from attendance_csv import COLUMNS
from attendance_lessons import Person
from attendance_page import as_page, days

from lessonspace_provider.hooks.lessonspace import LessonspaceHook
from tests.attendance_week import ADA, BEN, EVE, GUEL, LONDON, MONDAY, NEXT_MONDAY, a_lesson, a_session, count
from tests.integration.browser import SCREENSHOTS
from tests.integration.conftest import load_dag

NOA = Person("נועה לוי", "n@h.example")
TIMETABLE = """\
lesson,subject,days,start,end,teacher,students,cancelled
maths,Maths,Monday Tuesday,09:00,09:45,Ada Byron <ada@s.example>,Ben Ito <ben@h.example>; Gül Öz <guel@h.example>; \
נועה לוי <n@h.example>,
english,English <b>7b</b>,Wednesday,10:00,10:45,Eve Marsh <eve@s.example>,Ben Ito <ben@h.example>,
broken,Nothing,Mondy,10:00,10:45,Eve Marsh <eve@s.example>,Ben Ito <ben@h.example>,
"""
VALUES_BEYOND_THEIR_PLOT = """
[...document.querySelectorAll("figure > svg")].flatMap(svg => [...svg.querySelectorAll(".value")].filter(
    text => text.getBoundingClientRect().right > svg.getBoundingClientRect().right)).length
"""
STRANGER = '=HYPERLINK("x")<script>document.title="bad"</script>'


@pytest.fixture
def school(lessonspace_connection, lessonspace_sandbox, monkeypatch, tmp_path):
    """An empty school at the week's beginning, whose clock stands still, with this timetable."""
    (tmp_path / "timetable.csv").write_text(TIMETABLE, encoding="utf-8")
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_TIMETABLE", str(tmp_path / "timetable.csv"))
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_ATTENDANCE", f"file://{tmp_path}/reports")
    control = lessonspace_sandbox.control
    control.reset(now=MONDAY - timedelta(days=1), speed=0, sessions_per_day=0)
    control.set_clock(MONDAY)  # what a new sandbox has running has ended before
    return control


def launch(launch_id, person, role="student"):
    user = {"id": f"{person.name} <{person.email}>", "name": person.name, "email": person.email, "role": role}
    return LessonspaceHook().launch_space(launch_id, name="A room", user=user)["user_id"]


def play(control, launch_id, start, *events):
    """Let things happen so many minutes after a lesson's start, in their order; the session ends after the last."""
    for minute, what, user_id in events:
        control.set_clock(start + timedelta(minutes=minute))
        if what == "join":
            control.join(launch_id, **({} if user_id is None else {"user_id": user_id}))
        else:
            control.leave(launch_id, user_id=user_id)
    control.advance_clock(60)


@pytest.fixture
def known_week(school):
    """
    A small week.

    Monday's maths: Ada from 0 to 45; Ben from 10 to 20 and, back again, from 25 to 45; Gül from 0 to 40; Noa is absent.
    Tuesday's: Ada comes 12 minutes late, to 45; Ben from 0 to 45, Gül and Noa are absent. Wednesday's English: nobody.
    Thursday: a session of a stranger and a guest, of an hour, without a lesson.
    """
    monday, tuesday = MONDAY.replace(hour=9), MONDAY.replace(hour=9) + timedelta(days=1)
    first, second = "maths-2026-11-09", "maths-2026-11-10"
    ada = launch(first, ADA, "teacher")
    ben, guel = launch(first, BEN), launch(first, GUEL)
    launch(first, NOA)
    play(
        *(school, first, monday, (0, "join", ada), (0, "join", guel), (10, "join", ben), (20, "leave", ben)),
        *((25, "join", ben), (40, "leave", guel), (45, "leave", ada), (45, "leave", ben)),
    )
    launch(second, ADA, "teacher")
    play(school, second, tuesday, (0, "join", ben), (12, "join", ada), (45, "leave", ada), (45, "leave", ben))
    thursday = MONDAY + timedelta(days=3, hours=15)
    end = thursday + timedelta(minutes=60, seconds=30)
    school.add_session(thursday, end, users=[STRANGER], guests=1, name="Chess")
    return school


def run_report(run_dag, tmp_path):
    run = run_dag(load_dag("attendance_report"), NEXT_MONDAY)
    assert run.state == "success"
    return run, tmp_path / "reports" / "attendance-2026-W46.csv", tmp_path / "reports" / "attendance-2026-W46.html"


def rows_of(path):
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def figures(row):
    return [row[column] for column in COLUMNS[4:]]


def test_a_known_week_has_these_figures_and_no_name_in_xcom_or_log(run_dag, xcom, known_week, tmp_path, capfd):
    run, table, page = run_report(run_dag, tmp_path)
    assert xcom(run, "report") == {
        "csv": f"file://{table}",
        "page": f"file://{page}",
        "lessons_planned": 3,
        "lessons_held": 2,
        "lessons_missed": 1,
        "sessions_without_a_lesson": 1,
        "billable_minutes": 151.5,
    }
    rows = {(row["kind"], row["name"]): figures(row) for row in rows_of(table)}
    # planned, held, attended, %, times late, average and worst lateness, minutes, billable, sessions unsure
    # A session ends 30 s after the last one left: two of 45.5 minutes are billed, and one of 60.5.
    assert rows == {
        ("teacher", ADA.name): ["2", "", "2", "", "1", "6.0", "12.0", "78.0", "91.0", "0"],
        ("teacher", EVE.name): ["1", "", "0", "", "0", "", "", "0.0", "0.0", "0"],
        ("student", BEN.name): ["3", "2", "2", "100.0", "1", "5.0", "10.0", "75.0", "91.0", "0"],
        ("student", GUEL.name): ["2", "2", "1", "50.0", "0", "0.0", "0.0", "40.0", "45.5", "0"],
        ("student", NOA.name): ["2", "2", "0", "0.0", "0", "", "", "0.0", "0.0", "0"],
        ("not in the timetable", f"'{STRANGER}"): ["", "", "", "", "", "", "", "60.0", "60.5", "0"],
        ("guest", "Guest 1"): ["", "", "", "", "", "", "", "60.0", "60.5", "0"],
        ("session without a lesson", "Chess"): ["", "", "", "", "", "", "", "60.5", "60.5", ""],
    }
    for path in (table, page):
        assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in page.parent.iterdir()) == [table.name, page.name]
    said = json.dumps(xcom(run, "report"), ensure_ascii=False) + "".join(capfd.readouterr())
    for person in (ADA, EVE, BEN, GUEL, NOA):
        assert person.name not in said
        assert person.email not in said
    assert STRANGER not in said


def test_the_page_says_it_in_a_browser_and_asks_for_nothing_else(run_dag, known_week, tmp_path, browser_page):
    _, _, page = run_report(run_dag, tmp_path)
    requests = []
    browser_page.on("request", lambda request: requests.append(request.url))
    browser_page.goto(page.as_uri())
    assert requests == [page.as_uri()]
    assert browser_page.title() == "Attendance 2026-W46"
    assert browser_page.locator("script").count() == 0
    assert browser_page.inner_text("h1") == "Attendance, 9 to 15 November 2026"
    text = " ".join(browser_page.inner_text("body").split())
    for words in (
        "School week 2026-W46, Monday to Sunday, times in Europe/London",
        "English <b>7b</b>, Wed 11 Nov, 10:00, Eve Marsh: nobody came",
        "Ada Byron: 12.0 minutes, Maths, Tue 10 Nov, 09:00",
        "נועה לוי, 2: Maths, Mon 9 Nov, 09:00; Maths, Tue 10 Nov, 09:00",
        "Gül Öz, 1: Maths, Tue 10 Nov, 09:00",
        "Ada Byron 2 2 6.0 12.0 78 91",
        "Gül Öz 2 2 1 50 0 40 46",
        f"{STRANGER}, 60 min; Guest 1, 60 min",
        "line 4: 'Mondy' is no weekday, date or 'daily'",
    ):
        assert words in text
    plots = browser_page.locator("figure > svg")
    assert plots.count() == 7
    for plot in plots.all():
        assert plot.get_attribute("role") == "img"
        assert plot.locator("> title").text_content()
        assert plot.locator("> desc").text_content()
    numbers = browser_page.locator("#students-1-1-desc").text_content()
    assert numbers == "נועה לוי: 0 of 2, 0 %; Gül Öz: 1 of 2, 50 %; Ben Ito: 2 of 2, 100 %"
    assert browser_page.locator("figure").nth(4).locator("text.value").all_text_contents() == [
        "0 of 2, 0 %",
        "1 of 2, 50 %",
        "2 of 2, 100 %",
    ]
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    browser_page.screenshot(path=SCREENSHOTS / "attendance_report.png", full_page=True)


def test_a_week_without_anything_has_a_page_that_says_so(run_dag, school, tmp_path):
    (tmp_path / "timetable.csv").write_text(TIMETABLE.splitlines()[0])
    _, table, page = run_report(run_dag, tmp_path)
    assert rows_of(table) == []
    assert "No lessons were planned in this week, and no sessions were held." in page.read_text()


@pytest.mark.parametrize("change_of_clocks", [datetime(2026, 3, 29), datetime(2026, 10, 25)])
def test_a_session_at_a_boundary_is_in_exactly_one_week_also_when_the_clocks_change(
    run_dag, school, tmp_path, change_of_clocks
):
    (tmp_path / "timetable.csv").write_text(TIMETABLE.splitlines()[0])
    boundary = (change_of_clocks + timedelta(days=1)).replace(tzinfo=LONDON)
    school.reset(now=boundary + timedelta(days=20), speed=0, sessions_per_day=0)
    for number, end in enumerate((boundary - timedelta(seconds=1), boundary, boundary + timedelta(hours=1))):
        instant = end.astimezone(timezone.utc)
        school.add_session(instant - timedelta(minutes=30), instant, name=f"s{number}")
    for run_at in (boundary, boundary + timedelta(days=7)):
        assert run_dag(load_dag("attendance_report"), run_at).state == "success"
    before, after = sorted((tmp_path / "reports").glob("*.csv"))
    assert [row["name"] for row in rows_of(before) if row["kind"].startswith("session")] == ["s0"]
    assert [row["name"] for row in rows_of(after) if row["kind"].startswith("session")] == ["s1", "s2"]


def test_the_days_of_a_week_over_new_year_say_both_years():
    report = count([], begin=datetime(2026, 12, 28, tzinfo=LONDON), end=datetime(2027, 1, 4, tzinfo=LONDON))
    assert days(report) == "28 December 2026 to 3 January 2027"


def test_a_large_school_fits_a_wide_and_a_narrow_window(browser_page, tmp_path):
    teachers = [Person(f"Teacher {n} von und zu Langenscheid-Oberhausen", f"t{n}@s.example") for n in range(30)]
    students = [Person(f"Student {n} Öztürk", f"s{n}@h.example") for n in range(200)]
    lessons = [a_lesson(n, teachers[n % 30], students[n * 7 % 200 :][:12]) for n in range(150)]
    sessions = {
        lesson.launch_id: [
            a_session(
                lesson,
                (lesson.teacher, "teacher", n % 9, 45),
                *((s, "student", (n + i) % 13, 45) for i, s in enumerate(lesson.students) if (n + i) % 6),
            )
        ]
        for n, lesson in enumerate(lessons)
        if n % 23
    }
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page = tmp_path / "page.html"
    page.write_bytes(as_page(count(lessons, sessions), "Europe/London"))
    for width in (1280, 360):
        browser_page.set_viewport_size({"width": width, "height": 900})
        browser_page.goto(page.as_uri())
        assert browser_page.evaluate("document.documentElement.scrollWidth") <= width
        assert browser_page.evaluate(VALUES_BEYOND_THEIR_PLOT) == 0
        browser_page.screenshot(path=SCREENSHOTS / f"attendance_report_large_{width}.png", full_page=True)
