from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_plugin.output_names import DEFAULT, at, file_name

MOMENT = 1795309323500  # 2026-11-22 01:02:03 UTC


def named(template: str | None, **values: str | None) -> str:
    return file_name(template, MOMENT, {"input_filename": "sales report.ipynb", **values}, ".html")


@pytest.mark.parametrize(
    ("template", "name"),
    [
        (None, "sales report-2026-11-22-01-02-03-AM.html"),
        (DEFAULT, "sales report-2026-11-22-01-02-03-AM.html"),
        ("{{ name }} of {{job_id}}", "daily of 7.html"),
        ("{{timestamp}}_{{filename}}", "2026-11-22-01-02-03-AM_sales report.html"),
        ("{{unknown}}", "{{unknown}}.html"),
        ("a/b\0c", "a-b-c.html"),
        ("{{tags}}{{job_definition_id}}", "{{tags}}.html"),
        ("..", "sales report.html"),
        ("{{job_definition_id}}", "sales report.html"),
    ],
)
def test_an_output_is_named_by_the_template(template: str | None, name: str) -> None:
    assert named(template, name="daily", job_id="7", job_definition_id=None) == name


def test_a_name_that_looks_like_a_tag_is_not_filled_again() -> None:
    assert named("{{name}}", name="{{job_id}}", job_id="7") == "{{job_id}}.html"


def test_a_ticks_outputs_say_the_time_of_the_definitions_zone() -> None:
    template = at(None, MOMENT, "Asia/Tokyo")

    assert named(template) == "sales report-2026-11-22-10-02-03-AM.html"


@pytest.mark.parametrize(
    ("moment", "zone", "time_"),
    [
        (1795391999999, "UTC", "2026-11-22-11-59-59-PM"),
        (1795391999999, "Asia/Tokyo", "2026-11-23-08-59-59-AM"),
        (1774745999999, "Europe/Paris", "2026-03-29-01-59-59-AM"),
        (1774746000000, "Europe/Paris", "2026-03-29-03-00-00-AM"),
        (1792889999999, "Europe/Paris", "2026-10-25-02-59-59-AM"),
        (1792890000000, "Europe/Paris", "2026-10-25-02-00-00-AM"),
    ],
)
def test_a_name_says_what_the_zones_clocks_show_around_midnight_and_daylight_saving(
    moment: int, zone: str, time_: str
) -> None:
    assert at("{{create_time}}", moment, zone) == time_


@pytest.mark.parametrize("zone", ["", "UTC", "Local"])
def test_without_a_zone_the_time_is_utc(zone: str) -> None:
    assert named(at("{{create_time}}", MOMENT, zone)) == "2026-11-22-01-02-03-AM.html"


def test_an_output_is_found_again_by_a_server_in_another_time_zone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = set()
    for zone in ("Asia/Tokyo", "America/New_York"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        names.add(named(None))
    monkeypatch.delenv("TZ")
    time.tzset()
    assert len(names) == 1


@given(
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1),
    st.sampled_from([DEFAULT, "{{name}}", "{{name}}-{{input_filename}}"]),
)
def test_every_name_gives_a_name_that_a_file_system_takes(text: str, template: str) -> None:
    values: dict[str, str | None] = {"input_filename": f"{text}.ipynb", "name": text * 3}
    name = file_name(template, MOMENT, values, ".slides.html")

    assert len(name.encode()) <= 255
    assert "/" not in name
    assert "\0" not in name
    assert name.endswith(".slides.html")


def test_a_long_notebook_name_is_cut_before_the_time() -> None:
    name = file_name(None, MOMENT, {"input_filename": "é" * 200 + ".ipynb"}, ".ipynb")

    assert name.endswith("-2026-11-22-01-02-03-AM.ipynb")
    assert len(name.encode()) in (254, 255)
