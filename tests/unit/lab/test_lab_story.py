"""The narrator's score, and the words for rules and speeds."""

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from redis_connectivity_lab.narrator import Narrator, StepFailedError
from redis_connectivity_lab.site import told
from redis_connectivity_lab.speeds import Speed, patience, timings_of


@pytest.fixture
def narrator() -> Narrator:
    return Narrator(Console(file=io.StringIO(), width=160))


def written(narrator: Narrator) -> str:
    file = narrator.console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def fails(text: str) -> Callable[[], str]:
    def play() -> str:
        raise StepFailedError(text)

    return play


def test_a_story_whose_steps_all_hold_has_held(narrator: Narrator) -> None:
    narrator.chapter("one")
    narrator.step("a", "first", lambda: "seen")
    narrator.step("b", "second", lambda: "seen too", needs=("a",))
    narrator.summary()
    assert narrator.held
    assert "Every one of 2 steps held." in written(narrator)


def test_a_story_without_steps_has_not_held(narrator: Narrator) -> None:
    assert not narrator.held


def test_a_failed_step_tells_what_was_expected_what_was_seen_and_the_evidence(narrator: Narrator) -> None:
    narrator.chapter("one")
    narrator.step("a", "PING is answered", fails("ConnectTimeout"), lambda: "the log's end")
    assert not narrator.held
    for word in ("expected: PING is answered", "seen:     ConnectTimeout", "the log's end"):
        assert word in written(narrator)


def test_only_the_steps_that_need_a_failed_one_are_skipped_and_what_needs_them_too(narrator: Narrator) -> None:
    narrator.chapter("one")
    narrator.step("a", "first", fails("no"))
    narrator.step("b", "second", lambda: "yes", needs=("a",))
    narrator.step("c", "third", lambda: "yes", needs=("b",))
    narrator.step("d", "fourth", lambda: "yes")
    narrator.summary()
    assert [step.ok for step in narrator.steps] == [False, None, None, True]
    assert narrator.steps[2].seen == "skipped: it needs “second”"
    assert "3 of 4 steps did not hold." in written(narrator)


def test_a_chapter_does_not_pay_for_the_one_before(narrator: Narrator) -> None:
    narrator.chapter("one")
    narrator.step("a", "first", fails("no"))
    narrator.chapter("two")
    narrator.step("a", "first", lambda: "yes")
    narrator.step("b", "second", lambda: "yes", needs=("a",))
    assert [step.ok for step in narrator.steps] == [False, True, True]


def test_a_step_that_needs_what_was_never_played_is_a_mistake_of_the_author(narrator: Narrator) -> None:
    narrator.chapter("one")
    with pytest.raises(ValueError, match="never told of: typo"):
        narrator.step("a", "first", lambda: "yes", needs=("typo",))


def test_what_is_shown_is_not_taken_for_markup(narrator: Narrator) -> None:
    narrator.chapter("[red]")
    narrator.say("kinds [a/b] and [bold]")
    narrator.show("tags: [redis-instance]")
    narrator.step("a", "[x]", lambda: "[y]")
    narrator.summary()
    for word in ("kinds [a/b] and [bold]", "tags: [redis-instance]", "[x]", "[y]"):
        assert word in written(narrator)


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        (
            {
                "name": "r",
                "priority": 899,
                "direction": "INGRESS",
                "allowed": [{"IPProtocol": "tcp", "ports": ["6379"]}],
                "sourceRanges": ["10.2.0.0/28"],
                "targetTags": ["redis-instance"],
            },
            "  899 INGRESS allow tcp:6379 from 10.2.0.0/28 on tag redis-instance  (r)",
        ),
        (
            {
                "name": "deny",
                "priority": 1000,
                "direction": "EGRESS",
                "denied": [{"IPProtocol": "all"}],
                "destinationRanges": ["0.0.0.0/0"],
                "disabled": True,
            },
            " 1000 EGRESS  deny all to 0.0.0.0/0  (deny, disabled)",
        ),
    ],
)
def test_a_rule_in_one_line(rule: dict[str, object], line: str) -> None:
    assert told(rule) == line


@pytest.mark.parametrize("speed", list(Speed))
def test_patience_outlasts_the_emulated_google(speed: Speed) -> None:
    took = timings_of(speed)
    assert patience(speed) > took.connector_create + took.connector_delete + took.firewall
