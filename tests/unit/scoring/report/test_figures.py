"""The figures of a report: what they show, that they always fit, and that any page may carry them."""

import math
import re
from collections.abc import Callable, Sequence
from xml.etree import ElementTree

import numpy as np
import pytest

from scoring.report.figures import axes, lettering, marks
from scoring.report.figures.blobs import blobs, median_place
from scoring.report.figures.boxes import dots_and_boxes
from scoring.report.figures.canvas import Canvas, number
from scoring.report.figures.curves import curves
from scoring.report.figures.heat_map import heat_map
from scoring.report.figures.intervals import places_with_intervals
from scoring.report.figures.methods import ranking_methods
from scoring.report.figures.podium import podium
from scoring.report.figures.significance import significance_map
from scoring.report.figures.violins import violins

SVG = "{http://www.w3.org/2000/svg}"
LONG = "The Institute of Extraordinarily Long Team Names of Heidelberg"
NAMES = (
    LONG,
    "<script>alert('&\"')</script>",
    "فريق الذكاء الاصطناعي للتصوير الطبي",
    "日本医用画像研究所",
    "é\u0301🧠 ok",
)


class Case:
    """Everything that the figures show, made up for `count` entrants."""

    def __init__(self, count: int, *, tied: bool = False, lacking: bool = False) -> None:
        self.names = [NAMES[i] if i < len(NAMES) else f"Team {i}" for i in range(count)]
        self.values: list[list[float | None]] = [
            [0.5 if tied else 0.9 - 0.02 * i + 0.01 * ((7 * i + 3 * j) % 11) for j in range(9)]
            for i in range(count)
        ]
        self.places = [1 if tied else i + 1 for i in range(count)]
        self.shares = [[1.0 if j == self.places[i] - 1 else 0.0 for j in range(count)] for i in range(count)]
        self.intervals: list[tuple[int, int] | None] = [(1, place) for place in self.places]
        self.significant = [[not tied and b > a + 1 for b in range(count)] for a in range(count)]
        self.taus: dict[str, list[float | None]] = {
            "brain": [1.0 if tied else 1 - 0.1 * (i % 15) for i in range(60)],
            LONG: [1.0] * 5,
            "one": [0.25],
        }
        self.methods: dict[str, list[int | None]] = {
            "mean of places": list(self.places),
            "a way to rank with a very long description": list(reversed(self.places)),
            "test-based": list(self.places),
        }
        self.x = [10.0, 100.0, 2500.0]
        self.series = {name: row[:3] for name, row in zip(self.names, self.values, strict=True)}
        self.grid = [row[:6] for row in self.values]
        if lacking:
            self._lose()

    def _lose(self) -> None:
        for row in [*self.values, *self.grid]:
            row[1] = None
        self.values[-1] = [None] * 9
        self.intervals[-1] = None
        self.shares[-1] = [0.0] * len(self.names)
        self.taus["one"] = [None]
        self.methods["test-based"] = [None] * len(self.names)
        self.methods["mean of places"][0] = None
        self.series = {name: [row[0], None, row[2]] for name, row in self.series.items()}
        self.series[self.names[0]] = [None] * 3

    def draw(self, figure: str, prefix: str = "a") -> str:
        columns = [f"category {j}" for j in range(6)]
        turned = [list(column) for column in zip(*self.grid, strict=True)]
        draw: dict[str, Callable[[], str]] = {
            "podium": lambda: podium(self.values, self.names, self.places, prefix=prefix),
            "boxes": lambda: dots_and_boxes(self.values, self.names, "Average precision", prefix=prefix),
            "blobs": lambda: blobs(self.shares, self.names, self.places, self.intervals, prefix=prefix),
            "violins": lambda: violins(self.taus, prefix=prefix),
            "significance": lambda: significance_map(self.significant, self.names, prefix=prefix),
            "methods": lambda: ranking_methods(self.methods, self.names, prefix=prefix),
            "curves": lambda: curves(self.x, self.series, "size", "AP", prefix=prefix, x_scale="log"),
            "heat map": lambda: heat_map(self.names, columns, self.grid, prefix=prefix, unit="AP"),
            "heat map turned": lambda: heat_map(columns, self.names, turned, prefix=prefix),
            "intervals": lambda: places_with_intervals(
                self.names, self.places, self.intervals, prefix=prefix
            ),
        }
        return draw[figure]()


FIGURES = (
    "podium",
    "boxes",
    "blobs",
    "violins",
    "significance",
    "methods",
    "curves",
    "heat map",
    "heat map turned",
    "intervals",
)
CASES = {
    "one": Case(1),
    "two": Case(2),
    "five": Case(5),
    "forty": Case(40),
    "tied": Case(6, tied=True),
    "lacking": Case(6, lacking=True),
    "forty tied": Case(40, tied=True),
}
everywhere = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
each = pytest.mark.parametrize("figure", FIGURES)


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def of_class(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [element for element in root.iter() if element.get("class") == name]


def texts(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def floats(element: ElementTree.Element, *names: str) -> list[float]:
    return [float(element.attrib[name]) for name in names]


def points_of(path: str) -> list[tuple[float, float]]:
    """Where the pen of some path data goes; the extent of an arc is that of its ends and its radius."""
    x = y = 0.0
    visited = []
    for command, rest in re.findall(r"([MLHVmlhvaZz])([^MLHVmlhvaZz]*)", path):
        n = [float(text) for text in re.findall(r"-?[\d.]+", rest)]
        steps = {"H": 1, "V": 1, "h": 1, "v": 1, "a": 7}.get(command, 2)
        for i in range(0, len(n), steps):
            step = n[i : i + steps]
            if command in "ML":
                x, y = step
            elif command in "ml":
                x, y = x + step[0], y + step[1]
            elif command == "H":
                x = step[0]
            elif command == "h":
                x += step[0]
            elif command == "V":
                y = step[0]
            elif command == "v":
                y += step[0]
            elif command == "a":
                visited += [(x, y - step[1]), (x, y + step[1])]
                x, y = x + step[5], y + step[6]
            visited.append((x, y))
    return visited


def extent(element: ElementTree.Element) -> list[tuple[float, float]]:
    tag = element.tag.removeprefix(SVG)
    if tag == "circle":
        x, y, r = floats(element, "cx", "cy", "r")
        return [(x - r, y - r), (x + r, y + r)]
    if tag == "rect":
        x, y, width, height = floats(element, "x", "y", "width", "height")
        assert min(width, height) >= 0
        return [(x, y), (x + width, y + height)]
    if tag == "line":
        return [tuple(floats(element, "x1", "y1")), tuple(floats(element, "x2", "y2"))]
    if tag == "polyline":
        return [tuple(map(float, pair.split(","))) for pair in element.attrib["points"].split()]
    if tag == "path":
        return points_of(element.attrib["d"])
    return corners(element) if tag == "text" else []


def corners(text: ElementTree.Element) -> list[tuple[float, float]]:
    """The ends of a text's middle line, as wide as its font may be, turned as it is."""
    x, y = floats(text, "x", "y")
    size = float(text.get("font-size", lettering.SIZE))
    wide = lettering.width_of(text.text or "", size)
    start = {"start": 0.0, "middle": -wide / 2, "end": -wide}[text.get("text-anchor", "start")]
    turn = re.match(r"rotate\((-?[\d.]+) ", text.get("transform", "rotate(0 "))
    assert turn is not None
    angle = math.radians(float(turn[1]))
    return [(x + along * math.cos(angle), y + along * math.sin(angle)) for along in (start, start + wide)]


@each
@everywhere
def test_everything_stands_inside_the_view_box(figure, case):
    root = parsed(case.draw(figure))
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    drawn = [(element, point) for element in root.iter() for point in extent(element)]
    outside = [
        (element.tag, element.attrib, point)
        for element, point in drawn
        if not (left <= point[0] <= left + width and top <= point[1] <= top + height)
    ]
    assert drawn
    assert not outside


@each
@everywhere
def test_a_strict_page_may_carry_it(figure, case):
    root = parsed(case.draw(figure))
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    names = {name for element in root.iter() for name in element.attrib}
    assert tags <= {"svg", "title", "desc", "g", "text", "line", "polyline", "path", "rect", "circle"}
    assert not {name for name in names if name == "style" or name.startswith("on") or "href" in name}
    assert "url(" not in case.draw(figure)
    assert "nan" not in re.sub(r">[^<]*<", "><", case.draw(figure)).lower()


@each
@everywhere
def test_text_and_axes_take_the_colour_of_their_surroundings(figure, case):
    root = parsed(case.draw(figure))
    paints = {element.get(name) for element in root.iter() for name in ("fill", "stroke")}
    assert root.get("fill") == "currentColor"
    assert paints <= {None, "none", "currentColor", *marks.PALETTE}
    assert not [text.attrib for text in root.iter(f"{SVG}text") if "fill" in text.attrib]


@each
def test_a_screen_reader_is_told_what_it_is_and_what_it_says(figure):
    root = parsed(CASES["five"].draw(figure, prefix="task-1"))
    title, desc = root[0], root[1]
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == title.get("id") == "task-1-title"
    assert root.get("aria-describedby") == desc.get("id") == "task-1-desc"
    assert title.text
    assert LONG in (desc.text or "")


@each
def test_every_id_begins_with_its_prefix(figure):
    root = parsed(CASES["five"].draw(figure, prefix="blobs-of-brain"))
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    assert all(name.startswith("blobs-of-brain-") for name in ids)


@each
@everywhere
def test_the_same_input_gives_the_same_bytes(figure, case):
    assert case.draw(figure) == case.draw(figure)


@each
def test_numbers_have_at_most_two_decimals(figure):
    assert not re.search(r'="[^"<]*\d\.\d{3,}', CASES["five"].draw(figure))


@each
def test_it_fills_the_width_that_it_is_given(figure):
    root = parsed(CASES["five"].draw(figure))
    assert root.get("width") == "100%"
    assert root.get("height") is None


@each
def test_markup_in_a_name_is_text(figure):
    svg = CASES["two"].draw(figure)
    assert "<script" not in svg
    assert figure == "violins" or "&lt;script&gt;" in svg


@each
def test_a_name_too_long_for_its_place_is_cut_there_and_whole_in_a_tooltip(figure):
    root = parsed(CASES["five"].draw(figure))
    assert LONG in [title.text for title in root.iter(f"{SVG}title")]
    assert LONG not in texts(root)
    assert [text for text in texts(root) if text.startswith("The Inst") and text.endswith("…")]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: podium([], [], [], prefix="a"),
        lambda: dots_and_boxes([], [], "AP", prefix="a"),
        lambda: blobs([], [], [], [], prefix="a"),
        lambda: violins({}, prefix="a"),
        lambda: significance_map([], [], prefix="a"),
        lambda: ranking_methods({"mean": []}, [], prefix="a"),
        lambda: ranking_methods({}, ["A"], prefix="a"),
        lambda: curves([], {}, "x", "y", prefix="a"),
        lambda: curves([], {"A": []}, "x", "y", prefix="a"),
        lambda: heat_map([], ["x"], [], prefix="a"),
        lambda: heat_map(["x"], [], [[]], prefix="a"),
        lambda: places_with_intervals([], [], [], prefix="a"),
    ],
)
def test_without_anything_to_show_it_says_so(draw):
    assert texts(parsed(draw())) == ["Nothing to show yet"]


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_refused(wrong):
    for draw in (
        lambda: podium([[wrong]], ["A"], [1], prefix="a"),
        lambda: dots_and_boxes([[0.5, wrong]], ["A"], "AP", prefix="a"),
        lambda: blobs([[wrong]], ["A"], [1], prefix="a"),
        lambda: violins({"A": [wrong]}, prefix="a"),
        lambda: curves([1, wrong], {"A": [1, 1]}, "x", "y", prefix="a"),
        lambda: curves([1, 2], {"A": [1, wrong]}, "x", "y", prefix="a"),
        lambda: heat_map(["A"], ["x"], [[wrong]], prefix="a"),
    ):
        with pytest.raises(ValueError, match="say None for what is undefined"):
            draw()


def test_parts_of_different_length_are_refused():
    for draw in (
        lambda: podium([[1.0]], ["A", "B"], [1, 2], prefix="a"),
        lambda: podium([[1.0], [1.0, 2.0]], ["A", "B"], [1, 2], prefix="a"),
        lambda: dots_and_boxes([[1.0]], ["A", "B"], "AP", prefix="a"),
        lambda: blobs([[1.0]], ["A"], [1, 2], prefix="a"),
        lambda: significance_map([[False, True]], ["A"], prefix="a"),
        lambda: ranking_methods({"mean": [1]}, ["A", "B"], prefix="a"),
        lambda: curves([1, 2], {"A": [1.0]}, "x", "y", prefix="a"),
        lambda: heat_map(["A"], ["x", "y"], [[1.0]], prefix="a"),
        lambda: places_with_intervals(["A"], [1], [], prefix="a"),
    ):
        with pytest.raises(ValueError, match="as many of each"):
            draw()


@pytest.mark.parametrize(
    ("draw", "reason"),
    [
        (lambda: blobs([[1.5]], ["A"], [1], prefix="a"), "share"),
        (lambda: blobs([[1.0]], ["A"], [0], prefix="a"), "places begin with 1"),
        (lambda: blobs([[1.0]], ["A"], [1], [(1, 2)], prefix="a"), "interval"),
        (lambda: violins({"A": [1.2]}, prefix="a"), "from -1 to 1"),
        (lambda: ranking_methods({"mean": [2]}, ["A"], prefix="a"), "from 1 to 1"),
        (lambda: places_with_intervals(["A", "B"], [1, 2], [(2, 1), None], prefix="a"), "interval"),
        (lambda: curves([0, 1], {"A": [1, 1]}, "x", "y", prefix="a", x_scale="log"), "above 0"),
        (lambda: heat_map(["A"], ["x"], [[1.0]], prefix="a", value_range=(1, 1)), "lower one first"),
        (lambda: violins({}, prefix='x" onload="'), "ids cannot begin"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(draw, reason):
    with pytest.raises(ValueError, match=reason):
        draw()


def test_the_area_of_a_blob_is_the_share_of_bootstraps():
    root = parsed(blobs([[0.8, 0.2], [0.2, 0.8]], ["A", "B"], [1, 2], prefix="a"))
    radii = [float(blob.attrib["r"]) for blob in of_class(root, "blob")]
    assert radii[0] ** 2 / radii[1] ** 2 == pytest.approx(4, rel=0.01)
    assert radii == [radii[0], radii[1], radii[1], radii[0]]
    assert [blob[0].text for blob in of_class(root, "blob")][:2] == ["place 1: 80.0%", "place 2: 20.0%"]


def test_blobs_stand_in_the_column_of_their_place_and_the_row_of_their_entrant():
    root = parsed(
        blobs([[0.0, 0.5, 0.5], [1.0, 0.0, 0.0], [0.0, 0.5, 0.5]], list("ABC"), [2, 1, 3], prefix="a")
    )
    spots = [tuple(floats(blob, "cx", "cy")) for blob in of_class(root, "blob")]
    (x1, first), (x2, second), (x3, _), (_, third), _ = spots
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.02)
    assert first < second < third
    assert [text for text in texts(root) if text in "ABC"] == ["B", "A", "C"]


def test_the_median_place_is_where_half_of_the_bootstraps_are_counted():
    assert median_place([0.1, 0.6, 0.3]) == 2
    assert median_place([0.5, 0.5]) == 1
    assert median_place([0.0, 0.0]) is None


def test_a_box_spans_the_quartiles_and_its_whiskers_leave_outliers_out():
    root = parsed(
        dots_and_boxes(
            [[0.0, 4.0, 5.0, 6.0, 10.0], [0.0, 0.0, 10.0, 10.0, 10.0]], ["A", "B"], "AP", prefix="a"
        )
    )
    boxes = of_class(root, "box")
    low, wide = floats(boxes[0], "x", "width")
    whole = floats(boxes[1], "width")[0]  # 0 to 10
    assert wide / whole == pytest.approx(0.2, abs=0.001)  # 4 to 6
    reach = [
        floats(line, "x1", "x2") for line in root.iter(f"{SVG}line") if line.get("stroke-width") == "1.2"
    ]
    assert reach[:2] == [[low, low], [pytest.approx(low + wide, abs=0.02)] * 2]


def test_every_value_is_a_dot_and_equal_ones_stand_apart():
    root = parsed(dots_and_boxes([[0.5, 0.5, 0.5, 0.9, None]], ["A"], "AP", prefix="a"))
    dots = re.findall(r"M([\d.]+),([\d.]+)h", of_class(root, "dots")[0].attrib["d"])
    assert len(dots) == len(set(dots)) == 4
    assert len({x for x, _ in dots}) == 2


def test_what_is_undefined_is_said():
    boxes = texts(parsed(dots_and_boxes([[0.5, None], [None, None]], ["A", "B"], "AP", prefix="a")))
    assert boxes.count("undefined") == 2  # the head of the column, and B
    assert boxes.count("2") == boxes.count("1") == 1
    assert "undefined" in texts(parsed(violins({"A": [None]}, prefix="a")))
    assert "undefined" in texts(parsed(blobs([[0.0]], ["A"], [1], prefix="a")))
    assert "undefined" in texts(parsed(places_with_intervals(["A"], [1], [None], prefix="a")))
    assert "undefined" in texts(parsed(ranking_methods({"mean": [1], "tests": [None]}, ["A"], prefix="a")))
    assert "undefined" in texts(parsed(curves([1, 2], {"A": [None, None]}, "x", "y", prefix="a")))
    assert "undefined" in texts(parsed(heat_map(["A"], ["x", "y"], [[None, 1.0]], prefix="a")))


def test_a_podium_counts_who_reaches_which_place():
    values = [[0.9, 0.9, 0.1, 0.5], [0.2, 0.3, 0.8, 0.5]]
    root = parsed(podium(values, ["A", "B"], [1, 2], prefix="a"))
    bars = [bar[0].text for bar in of_class(root, "share")]
    assert bars == ["place 1: 75.0%", "place 2: 25.0%", "place 1: 50.0%", "place 2: 50.0%"]
    heights = [float(bar.attrib["height"]) for bar in of_class(root, "share")]
    assert heights[0] == pytest.approx(3 * heights[1])
    assert len(list(root.iter(f"{SVG}polyline"))) == 4
    assert [path.attrib["d"].count("M") for path in of_class(root, "values")] == [4, 4]


def test_a_podium_of_many_shows_the_first_ones_and_says_so():
    root = parsed(CASES["forty"].draw("podium"))
    assert "The first 8 of 40 entrants." in texts(root)
    assert len(of_class(root, "values")) == 8


def test_a_violin_is_widest_where_most_values_are():
    root = parsed(violins({"A": [0.5] * 30 + [0.45, 0.55, 0.9]}, prefix="a"))
    outline = points_of(of_class(root, "violin")[0].attrib["d"])
    widest = max(outline, key=lambda point: point[1])[0]
    xs = [x for x, _ in outline]
    assert (widest - min(xs)) / (max(xs) - min(xs)) == pytest.approx((0.5 - 0.45) / 0.45, abs=0.03)


def test_a_violin_of_equal_values_is_a_bar():
    root = parsed(violins({"A": [1.0] * 100}, prefix="a"))
    outline = points_of(of_class(root, "violin")[0].attrib["d"])
    assert max(x for x, _ in outline) - min(x for x, _ in outline) == pytest.approx(6)


def test_the_axis_of_tau_reaches_below_zero_only_when_a_value_does():
    assert "−1.0" not in texts(parsed(violins({"A": [0.1, 0.9]}, prefix="a")))
    assert "−1.0" in texts(parsed(violins({"A": [-0.1, 0.9]}, prefix="a")))


def test_a_significance_map_tells_better_from_alike_from_worse():
    root = parsed(significance_map([[0, 1, 1], [0, 0, 0], [0, 0, 0]], ["A", "B", "C"], prefix="a"))
    better, alike = of_class(root, "significant")[0], of_class(root, "alike")[0]
    assert better.attrib["d"].count("M") == 2
    assert alike.attrib["d"].count("M") == 2  # B and C, both ways
    rows = {y for _, y in re.findall(r"M([\d.]+),([\d.]+)", better.attrib["d"])}
    assert len(rows) == 1


def test_every_entrant_has_a_line_over_the_ranking_methods_which_the_undefined_interrupts():
    methods = {"mean": [1, 2], "median": [1, 1], "tests": [None, 1], "all": [1, 2], "last": [1, 2]}
    root = parsed(ranking_methods(methods, ["A", "B"], prefix="a"))
    assert [len(line.attrib["points"].split()) for line in of_class(root, "entrant")] == [2, 2, 5]
    level = of_class(root, "entrant")[0].attrib["points"].split()
    assert len({point.split(",")[1] for point in level}) == 1


def test_names_beside_the_ranking_methods_have_a_row_each_even_when_tied():
    root = parsed(CASES["forty tied"].draw("methods"))
    heights = [text.get("y") for text in root.iter(f"{SVG}text") if (text.text or "").startswith("Team ")]
    assert len(heights) == 70
    assert len(set(heights)) == 35


def test_a_curve_is_interrupted_where_it_is_undefined_and_keeps_its_lonely_points():
    root = parsed(curves([1, 2, 3, 4], {"A": [0.1, 0.2, None, 0.4]}, "x", "y", prefix="a"))
    assert len(of_class(root, "series")) == 1
    assert of_class(root, "series-marks")[0].attrib["d"].count("M") == 3


def test_a_logarithmic_axis_gives_every_factor_the_same_room():
    root = parsed(curves([1, 10, 100], {"A": [0, 0, 0]}, "x", "y", prefix="a", x_scale="log"))
    a, b, c = (float(point.split(",")[0]) for point in of_class(root, "series")[0].attrib["points"].split())
    assert b - a == pytest.approx(c - b, abs=0.02)


def test_curves_of_many_show_the_first_ones_and_say_so():
    root = parsed(CASES["forty"].draw("curves"))
    assert "The first 12 of 40." in texts(root)
    assert len(of_class(root, "series-marks")) == 12


def test_a_higher_value_has_a_stronger_ground():
    root = parsed(heat_map(["A"], ["x", "y", "z"], [[0.0, 0.5, 1.0]], prefix="a", value_range=(0, 1)))
    grounds = [float(cell.attrib["fill-opacity"]) for cell in of_class(root, "cell")]
    assert grounds == sorted(grounds)
    assert grounds[2] - grounds[1] == pytest.approx(grounds[1] - grounds[0], abs=0.011)


def test_cells_of_a_heat_map_may_lead_somewhere_and_say_where_also_when_it_is_turned() -> None:
    names = [f"team {n}" for n in range(12)]
    links = [[f"/cases?of={name}" for name in names]]
    root = parsed(heat_map(["ring"], names, [[0.5] * 11 + [None]], prefix="a", links=links))
    cells = list(root.iter("{http://www.w3.org/2000/svg}a"))
    assert root.get("role") == "group"  # an image would hide its links
    assert [cell.get("href") for cell in cells] == links[0]
    assert [cell.get("aria-label") for cell in cells][10:] == ["team 10, ring: 0.50", "team 11, ring: –"]
    assert parsed(heat_map(["A"], ["x"], [[1.0]], prefix="a")).get("role") == "img"


def test_a_heat_map_of_more_columns_than_fit_changes_sides():
    root = parsed(heat_map(["x"], [f"T{i}" for i in range(12)], [[i / 20 for i in range(12)]], prefix="a"))
    cells = of_class(root, "cell")
    assert len({cell.get("x") for cell in cells}) == 1
    assert len({cell.get("y") for cell in cells}) == 12


def test_an_interval_reaches_from_its_first_place_to_its_last():
    root = parsed(places_with_intervals(["A", "B", "C"], [1, 2, 3], [(1, 1), (1, 3), (2, 3)], prefix="a"))
    widths = []
    for interval in of_class(root, "interval"):
        xs = [x for x, _ in points_of(interval.attrib["d"])]
        widths.append(max(xs) - min(xs))
    assert widths[0] == 0
    assert widths[1] == pytest.approx(2 * widths[2], abs=0.02)


@pytest.mark.parametrize("ground", [(1.0, 1.0, 1.0), (0x13 / 255, 0x17 / 255, 0x1F / 255)])
def test_every_colour_stands_out_from_light_and_from_dark_ground(ground):
    for colour in marks.PALETTE:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        bright, dim = sorted((luminance(channels), luminance(ground)), reverse=True)
        assert (bright + 0.05) / (dim + 0.05) >= 3


def luminance(channels: Sequence[float]) -> float:
    """Relative luminance as the Web Content Accessibility Guidelines define it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_sixty_entrants_differ_in_colour_with_dash_and_in_colour_with_shape():
    assert len({(marks.colour(i), marks.dash(i)) for i in range(60)}) == 60
    assert len({(marks.colour(i), marks.shape(i, 0, 0)) for i in range(60)}) == 60


def test_ticks_are_round_and_enclose_the_values():
    assert axes.ticks(0.13, 0.87) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert axes.ticks(0, 1) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert axes.ticks(-1, 1) == [-1.0, -0.5, 0.0, 0.5, 1.0]
    assert axes.ticks(0.901, 0.9042) == [0.901, 0.902, 0.903, 0.904, 0.905]
    flat = axes.ticks(0.5, 0.5)
    assert flat[0] < 0.5 < flat[-1]


def test_logarithmic_ticks_are_round_and_enclose_the_values():
    assert axes.decades(3, 800) == [2, 5, 10, 20, 50, 100, 200, 500, 1000]
    assert axes.decades(1, 100000) == [1, 10, 100, 1000, 10000, 100000]
    assert axes.decades(10, 10)[0] == 10


def test_places_on_an_axis_are_thinned_and_keep_first_and_last():
    assert axes.whole_ticks(5, 400) == [1, 2, 3, 4, 5]
    assert axes.whole_ticks(40, 300) == [1, 5, 10, 15, 20, 25, 30, 35, 40]
    assert axes.whole_ticks(41, 300) == [1, 5, 10, 15, 20, 25, 30, 35, 41]
    assert axes.whole_ticks(1, 300) == [1]


def test_ticks_say_as_many_decimals_as_they_need():
    assert axes.said(0.5, [0.0, 0.5, 1.0]) == "0.5"
    assert axes.said(-0.25, [-0.25, 0.0, 0.25]) == "−0.25"
    assert axes.said(20000, [0, 10000, 20000]) == "20\u202f000"
    assert axes.said(3, [3]) == "3"


def test_a_number_has_no_needless_digits_and_no_negative_zero():
    assert [number(value) for value in (1.0, 1.256, -0.001, 10, 100.0)] == ["1", "1.26", "0", "10", "100"]


def test_a_name_loses_what_xml_forbids_and_what_turns_text_round():
    assert lettering.clean("a\x00b\ud800c\ufffe") == "a\ufffdb\ufffdc\ufffd"
    assert lettering.clean("evil\u202egnp.exe") == "evilgnp.exe"
    assert lettering.clean(" two\n lines\t") == "two lines"
    canvas = Canvas(10, prefix="a", kind="test", title="\x01", desc="\x0b")
    assert parsed(canvas.svg())[0].text == "\ufffd"


def test_a_cut_keeps_a_letter_with_its_accents():
    accented = "e\u0301" * 20
    shown = lettering.cut(accented, 60)
    assert shown.endswith("e\u0301…")
    joined = "👩\u200d⚕️" * 10
    assert not re.search("\u200d…$", lettering.cut(joined, 60))


def test_a_name_from_right_to_left_is_cut_at_its_own_end():
    shown = lettering.cut("فريق الذكاء الاصطناعي للتصوير الطبي", 100)
    assert shown.startswith(lettering.ISOLATE)
    assert shown.endswith("…" + lettering.END_OF_ISOLATE)


def test_a_text_that_fits_is_left_alone():
    assert lettering.cut("FPI", 100) == "FPI"
    assert lettering.wrapped("rank then aggregate", 90) == ["rank then", "aggregate"]
    assert lettering.wrapped("test-based", 300) == ["test-based"]
    assert len(lettering.wrapped("one two three four five six seven", 60)) == 3


def test_arrays_are_as_good_as_lists():
    values = np.array([[0.1, 0.2], [0.3, 0.4]])
    assert dots_and_boxes(values, ["A", "B"], "AP", prefix="a") == dots_and_boxes(
        values.tolist(), ["A", "B"], "AP", prefix="a"
    )
    assert significance_map(np.eye(2, dtype=bool), ["A", "B"], prefix="a")
    assert violins({"A": np.array([0.5, 0.75])}, prefix="a") == violins({"A": [0.5, 0.75]}, prefix="a")
