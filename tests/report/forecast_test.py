"""What a search will take: arithmetic and words, literally."""

from __future__ import annotations

import dataclasses

import pytest

from epnas_tf.report import forecast
from epnas_tf.report.forecast import Needs, Tally
from epnas_tf.searching import time_plan
from epnas_tf.searching.time_plan import Shares

# 10 of 110 trials took 600 s in this run, and all were trained.
_TALLY = Tally(left=100, ended=10, trained=10, here=10, elapsed=600.0)
_LONG = Needs(
    networks=1208,
    first=[10.0] * 8,
    models=3,
    params=100_000,
    trials=1208,
    image_bytes=184e6,
    tensor_bytes=150e6,
    child_bytes=16e6,
)


def _left(**changes):
    return forecast.seconds_left(dataclasses.replace(_TALLY, **changes))


def test_the_time_left_is_that_of_the_trained_ones():
    assert _left() == 100 * 60.0
    assert _left(left=0) == 0


@pytest.mark.parametrize("skipped", [1, 10, 50])
def test_what_costs_nothing_does_not_make_the_rate_look_fast(skipped):
    # The same ten took the time; the others are remembered or beyond the limits.
    left = _left(ended=10 + skipped)
    assert left < 6000  # some of those to come will be skipped too
    assert left == pytest.approx(100 * 60 * (10 + 8) / (10 + skipped + 8))


def test_many_skipped_at_first_do_not_make_an_end_of_it():
    assert _left(ended=9, trained=1, here=1, elapsed=60.0) > 100 * 60 / 2


def test_the_time_left_is_at_most_what_max_hours_leaves():
    assert _left(limit=1800.0) == 1200.0
    assert _left(limit=600.0) == _left(limit=500.0) == 0.0
    assert _left(limit=1e6) == 6000.0


def test_before_the_first_of_this_run_the_stored_seconds_count():
    assert _left(here=0, before=30.0) == 3000.0
    assert _left(here=1, before=30.0, elapsed=60.0) == 6000.0  # then those of this run
    assert _left(here=0, before=30.0, limit=900.0) == 300.0


def test_where_nothing_tells_the_limit_does_or_nobody():
    assert _left(here=0, trained=0, elapsed=5.0) is None
    assert _left(here=0, trained=0, elapsed=600.0, limit=1800.0) == 1200.0


def test_the_first_networks_are_known_and_later_ones_larger():
    needs = Needs(networks=2, first=[10.0, 20.0, 30.0])
    assert needs.seconds == 30 + 2 * forecast.SETUP_SECONDS
    more = Needs(networks=5, first=[10.0, 20.0, 30.0])
    assert more.seconds == 60 + 2 * 20 * forecast.GROWTH + 5 * forecast.SETUP_SECONDS
    assert Needs(networks=5, first=[10.0], each=7.0).seconds == 35.0  # what was measured counts
    assert Needs(networks=5, first=[0.0, 0.0]).seconds is None
    assert Needs(networks=5).seconds is None


def test_a_long_search_is_said_with_what_makes_it_shorter():
    assert forecast.lines(_LONG) == [
        "expected: at most 1208 networks, about 6 hours (a guess, said again after the first "
        "step); disk 11.6MB; memory 1.25GB (images 184MB, as tensors 150MB more)",
        "to make it shorter: --max_hours=1 or --max_trials=200 (a later run goes on), fewer "
        "--episodes (more may follow) or a smaller --train_fraction",
    ]


def test_shared_parameters_are_within_the_disk():
    (line, _) = forecast.lines(dataclasses.replace(_LONG, shared_bytes=1e9))
    assert "; disk 11.6MB and shared parameters up to 1GB; " in line


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"networks": 3}, "at most 3 networks, about 39 seconds (a guess);"),
        ({"limit": 1800.0}, "about 138 networks in 30 minutes (--max_hours=0.5): about 10 seconds"),
        ({"limit": 1800.0, "first": []}, "at most 1208 networks, 30 minutes (--max_hours=0.5) at"),
        ({"networks": 100, "limit": 7200.0}, "about 29 minutes (a guess, said again after the"),
        ({"networks": 20, "each": 60.0}, "at most 20 networks, about 20 minutes (as before);"),
        ({"first": []}, "how long is said after the first step;"),
        ({"first": [0.0], "networks": 1}, "how long is not known;"),
    ],
)
def test_a_short_search_is_one_line(changes, words):
    (line,) = forecast.lines(dataclasses.replace(_LONG, **changes))
    assert words in line


_HOUR = dataclasses.replace(_LONG, limit=3600.0, images=15_000, shares=Shares(0.5, 0.1))


def test_a_limited_search_says_how_many_networks_come_and_why():
    (line,) = forecast.lines(dataclasses.replace(_HOUR, default=True))
    assert line.startswith(
        "expected: about 136 networks in 60 minutes (--max_hours=1, the default): about 10 seconds "
        "each on 15000 images, 50% of the training for longer ones of the best, 6 minutes for the "
        "finals; disk 11.6MB; "
    )
    assert _HOUR.expected == time_plan.expected(3600.0, 10.0, _HOUR.shares)


def test_a_search_that_goes_on_expects_as_many_as_its_networks_took():
    (line,) = forecast.lines(dataclasses.replace(_HOUR, each=36.0))
    assert "about 100 networks in 60 minutes (--max_hours=1): 36 seconds each, as before;" in line


def test_what_rises_takes_its_time():
    plain = Needs(networks=2, first=[10.0, 20.0])
    assert dataclasses.replace(plain, shares=Shares(0.5)).seconds == 60 + 2 * 3 * 1.25


def test_why_so_few_networks_come_is_said():
    slow = dataclasses.replace(_HOUR, first=[40.0] * 4)
    assert forecast.lines(slow)[1] == (
        "note: fewer than 60 networks, at 40 seconds each and 3 to build it: smaller images "
        "(--image_size), fewer of them (--epochs, --epoch_images), tighter limits or a larger "
        "--max_hours let more come"
    )
    for changes in ({"limit": 600.0}, {"networks": 20}, {"first": [10.0]}):
        assert len(forecast.lines(dataclasses.replace(slow, **changes))) == 1


def test_after_the_first_step_a_limited_search_says_how_many_still_come():
    limited = dataclasses.replace(_TALLY, limit=1800.0, shares=Shares(0.5))
    assert forecast.after_first_step(limited) == [
        "the first step took 10 minutes: about 20 minutes more for 10 networks"
    ]


def test_a_search_that_is_over_says_nothing():
    assert forecast.lines(Needs(networks=0)) == []


def test_trials_of_earlier_runs_count_in_what_makes_it_shorter():
    needs = dataclasses.replace(_LONG, networks=1000, each=36.0)
    assert "--max_trials=308 " in forecast.lines(needs)[1]  # 208 are done, an hour's are 100


def test_after_the_first_step_it_is_said_again():
    assert forecast.after_first_step(_TALLY) == [
        "the first step took 10 minutes: about 1.7 hours more for 100 networks",
        "to make it shorter: --max_hours=1 or --max_trials=70 (a later run goes on), fewer "
        "--episodes (more may follow) or a smaller --train_fraction",
    ]
    short = dataclasses.replace(_TALLY, elapsed=60.0)
    assert forecast.after_first_step(short) == [
        "the first step took 60 seconds: about 10 minutes more for 100 networks"
    ]
    assert forecast.after_first_step(dataclasses.replace(_TALLY, left=0)) == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0.4, "0 seconds"), (1, "1 second"), (89, "89 seconds"), (90, "2 minutes")),
        *((3600, "60 minutes"), (5400, "1.5 hours"), (36_000, "10 hours")),
        *((172_800, "2 days"), (1e6, "12 days")),
    ],
)
def test_a_time_is_said_as_people_say_it(seconds, text):
    assert forecast.duration(seconds) == text


def test_the_end_of_a_search_takes_its_time_too():
    assert _left(finals=90.0) == _left() + 90
    assert _left(finals=90.0, left=0) == 90
    assert _left(finals=90.0, left=0, limit=640.0) == 40
