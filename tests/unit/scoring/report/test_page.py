"""The page stands alone: one file, whole, that leads nowhere else and runs nothing."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from scoring.report.analysis import analyse
from scoring.report.page import Notes, number, p_value, percent, span, to_html
from tests.unit.scoring.report.studies import study, task

VOID = {"meta", "br", "link", "img", "hr", "input"}


class Reader(HTMLParser):
    """Collects tags, ids and references, and sees that what is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.references: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "srcset", "data", "xlink:href", "action", "poster"):
                self.references.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def read(page: bytes) -> Reader:
    reader = Reader()
    reader.feed(page.decode())
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def page() -> bytes:
    return to_html(analyse(study(task("case"), task("voxel"))))


@pytest.fixture(scope="module")
def reader(page: bytes) -> Reader:
    return read(page)


def test_it_refers_to_nothing_outside_of_itself(page: bytes, reader: Reader) -> None:
    assert {"script", "link", "img", "iframe", "object", "form"} & reader.tags == set()
    assert all(reference.startswith("#") for reference in reader.references)
    assert not [name for name in reader.attributes if name.startswith("on")]
    styles = re.findall(r"<style>(.*?)</style>", page.decode(), re.DOTALL)
    assert len(styles) == 1
    assert "url(" not in styles[0]
    assert "@import" not in styles[0]


def test_every_entry_of_the_contents_leads_to_a_heading_and_no_id_is_there_twice(reader: Reader) -> None:
    targets = [reference.removeprefix("#") for reference in reader.references]
    assert len(targets) > 15
    assert set(targets) <= set(reader.ids)
    assert len(set(reader.ids)) == len(reader.ids)


def test_every_figure_of_the_document_is_drawn(page: bytes) -> None:
    document = analyse(study(task("case"), task("voxel")))
    figures = [figure for one in document["tasks"] for figure in one["figures"]]
    assert page.count(b"<svg ") == len(figures)
    assert {figure["figure"] for figure in figures} == {
        "podium",
        "dots_and_boxes",
        "ranking_methods",
        "places_with_intervals",
        "blobs",
        "violins",
        "significance_map",
        "heat_map",
        "curves",
    }
    assert all(figure["title"].encode() in page and figure["data"] for figure in figures)


def test_names_are_text_wherever_they_stand(page: bytes) -> None:
    assert b"Bert <b>" not in page
    assert b"Bert &lt;b&gt;" in page
    assert b"Anna &amp; sons" in page


def test_every_reason_stands_under_its_table(page: bytes) -> None:
    letters = re.findall(r"undefined <sup>(\w+)</sup></span>", page.decode())
    explained = re.findall(r"<li><sup>(\w+)</sup> (.+)</li>", page.decode())
    assert letters
    assert set(letters) <= {letter for letter, _ in explained}


@pytest.mark.parametrize(
    "given",
    [
        study(),
        study(task("voxel", teams=())),
        study(task("case", teams=["One"], absent=0), task("voxel", teams=["One"], absent=0)),
        study(task("voxel", toy=[])),
        study(task("case", test=[], toy=[])),
        study(
            task("voxel", teams=["One"], test=[]), task("case", teams=["One"], test=[]), scoring_version=None
        ),
    ],
    ids=["no task", "nobody", "one team", "no toy results", "no case", "toy results only"],
)
def test_it_is_whole_whatever_is_lacking(given: Any) -> None:
    reader = read(to_html(analyse(given)))
    assert {reference.removeprefix("#") for reference in reader.references} <= set(reader.ids)


def test_figures_are_shown_with_the_decimals_of_the_challenge() -> None:
    given = task("case")
    document = analyse(study(given))
    value = document["tasks"][0]["results"][0]["entrants"][0]["average_precision"]["value"]
    document["tasks"][0]["protocol"]["decimals"] = 5
    assert f"{value:.5f}".encode() in to_html(document)


def test_shares_p_values_and_intervals_are_rounded_for_people() -> None:
    assert [percent(share) for share in (1.0, 0.5, 0.0123, 0.00123, 0.0, None)] == [
        "100\N{NO-BREAK SPACE}%",
        "50.0\N{NO-BREAK SPACE}%",
        "1.23\N{NO-BREAK SPACE}%",
        "0.123\N{NO-BREAK SPACE}%",
        "0\N{NO-BREAK SPACE}%",
        "–",
    ]
    assert [p_value(p) for p in (1.0, 0.0421, 0.0004)] == ["1.000", "0.042", "< 0.001"]
    assert [span([1, 3]), span([2, 2]), span(None), span([0.12345, 0.2], 3)] == [
        "1 – 3",
        "2",
        "–",
        "0.123 – 0.200",
    ]
    assert number(-0.25, 2) == "−0.25"


def test_notes_give_each_reason_one_letter() -> None:
    notes = Notes()
    assert [notes.letter("x"), notes.letter("y"), notes.letter("x")] == ["a", "b", "a"]
    assert notes.reasons() == [("a", "x"), ("b", "y")]
    many = Notes()
    assert [many.letter(str(number)) for number in range(28)][-2:] == ["aa", "bb"]
