"""The operator's page in a real browser: a path that is cut turns red, one that heals turns green, by itself.

With REDIS_CONNECTIVITY_SCREENSHOTS set to a folder, what was seen is kept there as pictures.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from support.place import Place
from support.waiting import wait_until

CHROMIUM, CHROMEDRIVER = shutil.which("chromium"), shutil.which("chromedriver")

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        CHROMIUM is None or CHROMEDRIVER is None,
        reason="needs chromium and chromium-driver: tools/bootstrap.sh browser installs them",
    ),
]

PROBE = {"interval": "2s", "timeout": "1s", "failureThreshold": 1}


class Page:
    """The page as a person sees it."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def article(self, place: Place, name: str = "path") -> dict[str, Any]:
        """One path as drawn: its state word, its hops and its texts; empty when it is not there."""
        found: dict[str, Any] = self.driver.execute_script(
            """
            const one = document.getElementById(`path-${arguments[0]}`);
            if (!one) return {};
            const text = (selector) => [...one.querySelectorAll(selector)].map((found) => found.textContent.trim());
            return {
              state: one.className, label: one.getAttribute("aria-label"), cause: text(".cause").join(" "),
              hops: [...one.querySelectorAll("ol.hops li")].map((hop) => hop.className),
              marks: text("ol.hops .mark"), tables: text("details summary"), outages: text("details td"),
              failed: one.querySelectorAll("svg.spark line").length, spark: one.querySelectorAll("svg.spark").length,
            };
            """,
            f"{place.namespace}/{name}",
        )
        return found

    def shows(self, place: Place, state: str, *, deadline: float = 40) -> dict[str, Any]:
        """Wait until the path is drawn in this state, without a reload."""
        return wait_until(
            lambda: (seen := self.article(place)).get("state") == state and seen,
            deadline=deadline,
            describe=lambda: f"the page to show {state}; it shows {self.article(place)}\n{place.report()}",
        )

    def open_tables(self) -> None:
        self.driver.execute_script("document.querySelectorAll('details').forEach((one) => { one.open = true; });")

    def keep(self, name: str) -> None:
        if folder := os.environ.get("REDIS_CONNECTIVITY_SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.driver.save_screenshot(f"{folder}/{name}.png")

    def scheme(self, name: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def style(self, selector: str, what: str) -> str:
        try:
            return self.driver.find_element(By.CSS_SELECTOR, selector).value_of_css_property(what)
        except StaleElementReferenceException:  # drawn anew in between
            return self.style(selector, what)

    def complaints(self) -> list[str]:
        """What the browser itself objects to: script errors, refused loads."""
        return [one["message"] for one in self.driver.get_log("browser") if one["level"] == "SEVERE"]


@pytest.fixture
def page(place: Place, tmp_path: Path) -> Iterator[Page]:
    options = Options()
    options.binary_location = str(CHROMIUM)
    for one in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1100,900", "--disable-gpu"):
        options.add_argument(one)
    # Nothing but the page: no updates, no look-ups, no proxy.
    for one in ("--no-first-run", "--disable-background-networking", "--disable-component-update", "--no-proxy-server"):
        options.add_argument(one)
    options.add_argument(f"--user-data-dir={tmp_path / 'profile'}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(CHROMEDRIVER)))
    try:
        driver.get(place.operators[0].page)
        yield Page(driver)
    finally:
        driver.quit()


def apply(place: Place) -> None:
    place.apply(probe={"proberUrl": place.world.prober_url, **PROBE})


def test_a_path_is_seen_to_be_made_cut_named_and_healed(place: Place, page: Page) -> None:
    apply(place)
    seen = page.shows(place, "ok")
    assert seen["hops"] == ["ok"] * 4
    failed_before = seen["failed"]  # the first may be lost while the rules are made, if the machine is busy
    page.keep("works")

    place.lab.cloud.stop_redis(place.world.host_id)
    seen = page.shows(place, "broken")
    assert seen["hops"] == ["ok", "ok", "ok", "broken"]
    # It turned red by the first probe that failed, or the one after: within a probe interval.
    assert 1 <= seen["failed"] - failed_before <= 2, seen
    assert place.world.host in seen["cause"]
    assert "broken" in page.driver.title
    page.keep("redis-stopped")

    place.lab.cloud.start_redis(place.world.host_id)
    seen = page.shows(place, "ok")
    assert "Outages (1)" in seen["tables"]
    assert "still" not in seen["outages"]
    assert any(one.startswith("RedisStopped: Nothing listens") for one in seen["outages"])
    assert "Elsewhere" in seen["outages"]
    assert "Success and latency (3)" in seen["tables"]
    page.open_tables()
    page.keep("healed")

    place.world.deny("no-way-out", "EGRESS", priority=0)
    seen = page.shows(place, "broken")
    assert seen["hops"][2] == "broken"
    assert "no-way-out" in seen["cause"]
    page.keep("egress-denied")
    # Colour is never the only sign.
    assert [mark.split()[-1] for mark in seen["marks"]].count("broken") == seen["hops"].count("broken")

    place.world.control.delete("firewalls", place.world.project, "no-way-out")
    page.shows(place, "ok")
    assert page.complaints() == []


def test_a_repair_is_listed_with_what_was_changed(place: Place, page: Page) -> None:
    apply(place)
    page.shows(place, "ok")
    place.break_rule(disabled=True)
    place.until(lambda: place.status().get("drift"), "the drift to be told")
    wait_until(
        lambda: any(one.startswith("Changed by others") for one in page.article(place)["tables"]),
        deadline=20,
        describe=lambda: f"the drift on the page: {page.article(place)}",
    )


def test_it_can_be_searched_and_follows_the_readers_colours(place: Place, page: Page) -> None:
    apply(place)
    page.shows(place, "ok")
    light = page.style("body", "background-color")
    page.scheme("dark")
    assert page.style("body", "background-color") != light
    page.keep("dark")
    page.driver.find_element(By.ID, "find").send_keys("nothing-is-called-so")
    assert page.article(place) == {}
    assert page.driver.find_element(By.ID, "empty").text == "Nothing of what there is fits."
    page.driver.find_element(By.ID, "find").clear()
    page.driver.find_element(By.ID, "find").send_keys(f"{place.namespace} ")
    page.shows(place, "ok")


def test_a_resource_that_goes_leaves_the_page_and_a_silent_operator_is_told(place: Place, page: Page) -> None:
    apply(place)
    page.shows(place, "ok")
    place.delete()
    wait_until(lambda: page.article(place) == {}, deadline=20, describe=lambda: "the path to leave the page")
    place.stop_operator()
    try:
        wait_until(
            lambda: "cannot be reached" in page.driver.find_element(By.ID, "connection").text,
            deadline=20,
            describe=lambda: "the page to say that it is old",
        )
        page.keep("operator-gone")
    finally:
        place.start_operator()
