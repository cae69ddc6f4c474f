import base64
import io
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from challenges.spec import load
from datasets import volume
from datasets.anomalies.kinds import SHIPPED, Kinds
from datasets.build import build
from datasets.gallery import choice, contents, page, pictures, slices, twins
from datasets.gallery.contents import GalleryError, Shown
from datasets.gallery.slices import Grid, Slice
from datasets.leaks.findings import AuditReport, Finding
from datasets.leaks.report import write as write_audit
from datasets.manifest import Manifest
from datasets.populations.registry import POPULATIONS
from tests.unit.datasets import cheap_people
from tests.unit.datasets.conftest import CHALLENGES, SECRET

OTHER_SECRET = b"another secret of more than sixteen bytes"
NO_LEAK = AuditReport(
    0.05, 1000, {"brain": 4}, [Finding("brain", "<b>", "image", 0.5, 0.4, 1.0, "ok", "fine")]
)


@dataclass(frozen=True)
class Set:
    folder: Path
    described: Manifest
    shown: Shown

    def html(self, audit: AuditReport | None = None) -> str:
        return page.to_html([self.shown], audit, SHIPPED).decode()


@pytest.fixture(scope="module")
def cheap() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(POPULATIONS, "brain", cheap_people)
        yield


@pytest.fixture(scope="module")
def made(cheap: None, tmp_path_factory: pytest.TempPathFactory) -> Set:
    folder = tmp_path_factory.mktemp("set")
    built = build(cheap_people.challenge_of(load(CHALLENGES / "demo.yaml")), SECRET, folder)
    [shown] = contents.collect(folder, SECRET, examples=2)
    return Set(folder, built["brain"], shown)


def _pictures(html: str) -> list[Image.Image]:
    found = re.findall(r'src="data:image/webp;base64,([^"]+)"', html)
    return [Image.open(io.BytesIO(base64.b64decode(one))) for one in found]


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A voxel further along each axis: resampling blurs the edge."""
    grown = mask.copy()
    for axis in range(3):
        grown |= np.roll(grown, 1, axis) | np.roll(grown, -1, axis)
    return grown


def test_every_kind_is_shown_at_every_difficulty_before_and_after(made: Set) -> None:
    assert [(kind.category, kind.kind) for kind in made.shown.kinds] == [
        ("local", "textured-solid"),
        ("global", "blur"),
    ]
    for kind in made.shown.kinds:
        assert list(kind.shown) == ["easy", "medium", "hard"]
        for cases in kind.shown.values():
            assert 1 <= len(cases) <= 2
            for case in cases:
                titles = [picture.title for picture in made.shown.drawn[case.id].pictures]
                local = ["before", "after", "difference", "mask"]
                assert titles == (local if kind.category == "local" else local[:3])


def test_the_page_needs_nothing_but_itself(made: Set) -> None:
    html = made.html()
    assert "<script" not in html
    assert not re.findall(r'(?:src|href)="(?!data:image/webp;base64,|#)', html)
    shown = [picture for drawn in made.shown.drawn.values() for picture in drawn.pictures]
    assert len(_pictures(html)) == len(shown)
    for anchor in re.findall(r'href="#([^"]+)"', html):
        assert f'id="{anchor}"' in html
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_the_page_shows_people_toys_series_and_the_proxy(made: Set) -> None:
    html = made.html()
    assert len(made.shown.people) == 5
    age = made.shown.people[0].properties["age"]
    assert f"<figcaption>{age:.0f} years, t1</figcaption>" in html
    assert {"radius 3", "radius 6", "no sphere", "intensity 0.5"} <= set(
        re.findall(r"<figcaption>([^<:]+)</", html)
    )
    assert html.count("<figcaption>sphere: ") + html.count("<figcaption>cube: ") == 3
    assert 'class="figure figure-histogram"' in html


def test_people_of_all_variants_are_shown_in_turn(made: Set) -> None:
    variants = [case.properties["variant"] for case in made.shown.people]
    assert variants[:4] == ["t1", "t2", "t1", "t2"]


def test_a_twin_is_the_scan_but_for_what_its_mask_marks(made: Set) -> None:
    source = twins.source(made.folder, made.described, SECRET)
    assert source.job is not None
    case = next(case for case in made.described.cases_of("test") if case.category == "local")
    assert case.mask is not None
    after, mask = (volume.read(made.folder / "brain" / file.path).data for file in (case.image, case.mask))
    changed = np.abs(after - twins.twin(source.job, case)) > 0.02
    near = _grown(mask > 0)
    assert changed[mask > 0].mean() > 0.5
    assert not changed[~near].any()


@pytest.mark.parametrize(
    ("secret", "told"),
    [(None, "no secret was given"), (OTHER_SECRET, "another secret, or by another generator")],
)
def test_without_the_right_secret_the_page_says_why_nothing_is_shown_before(
    made: Set, secret: bytes | None, told: str
) -> None:
    [shown] = contents.collect(made.folder, secret)
    assert told in shown.reason
    titles = {picture.title for drawn in shown.drawn.values() for picture in drawn.pictures}
    assert titles == {"scan", "after", "mask"}
    assert told in page.to_html([shown], None, SHIPPED).decode()


def test_sets_of_unknown_origin_such_as_imported_ones_are_shown_without_twins(
    made: Set, tmp_path: Path
) -> None:
    shutil.copytree(made.folder / "brain", tmp_path / "brain")
    [shown] = contents.collect(tmp_path, SECRET)
    assert "imported sets have none" in shown.reason


def test_a_folder_without_datasets_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="name what `dataset build` made"):
        contents.collect(tmp_path, None)


def test_progress_tells_cases_done_of_cases_wanted(made: Set) -> None:
    steps: list[tuple[str, int, int]] = []
    contents.collect(made.folder, None, progress=lambda *step: steps.append(step))
    total = len(made.shown.drawn) - sum(
        max(len(cases) - 1, 0) for kind in made.shown.kinds for cases in kind.shown.values()
    )
    assert steps == [("brain", done, total) for done in range(total + 1)]


def test_the_leak_report_is_on_the_page_if_there_is_one_else_how_to_get_it(made: Set, tmp_path: Path) -> None:
    assert "python -m backend dataset audit" in made.html()
    assert page.read_audit(tmp_path / "audit.json") is None
    write_audit(NO_LEAK, tmp_path)
    found = page.read_audit(tmp_path / "audit.json")
    assert found is not None
    assert found.as_json() | {"baselines": (), "tables": ()} == NO_LEAK.as_json()
    html = made.html(found)
    assert "No leak: 1 things were tried" in html
    assert "<b>" not in html
    (tmp_path / "audit.json").write_text("[]")
    with pytest.raises(page.AuditUnreadable, match="run the audit again"):
        page.read_audit(tmp_path / "audit.json")


def test_long_series_are_thinned_evenly_from_first_to_last(made: Set) -> None:
    step = made.shown.series["size-series"][0]
    many = made.described.model_copy(
        update={"cases": tuple(step.model_copy(update={"id": str(i)}) for i in range(101))}
    )
    shown = [int(case.id) for case in choice.series(many)["size-series"]]
    assert (len(shown), shown[0], shown[-1]) == (choice.STEPS, 0, 100)
    assert max(np.diff(shown)) <= 5


def test_slices_go_through_the_bulk_of_a_mask_or_the_middle() -> None:
    mask = np.zeros((8, 10, 12), bool)
    assert slices.through(mask) == [Slice(2, 6), Slice(1, 5), Slice(0, 4)]
    mask[2, 3:6, 4:8] = True
    mask[1, 3, 4] = True
    assert slices.through(mask) == [Slice(2, 4), Slice(1, 3), Slice(0, 2)]


def test_the_most_changed_slice_is_found_across_any_axis() -> None:
    before = np.full((8, 10, 12), 0.5, np.float32)
    after = before.copy()
    after[:, 7, :] = 0.2
    assert slices.most_changed(before, after) == Slice(1, 7)
    assert slices.most_changed(after, before) == Slice(1, 7)


def test_changes_of_the_air_around_a_body_do_not_count() -> None:
    before = np.zeros((8, 10, 12), np.float32)
    before[3:5, 4:6, 5:7] = 0.5
    after = before + np.float32(0.05)
    assert slices.most_changed(before, after) in (Slice(2, 5), Slice(1, 4), Slice(0, 3))


def test_slices_lie_as_people_expect() -> None:
    scan = np.zeros((3, 4, 5), np.float32)
    scan[2, 3, 4] = 1  # right, anterior, superior
    for one in (Slice(2, 4), Slice(1, 3), Slice(0, 2)):
        shown = one.of(scan)
        assert shown[0, -1] == 1, one.plane


def test_pixels_are_square_and_large_volumes_reduced() -> None:
    thick = Grid((64, 64, 16), (1.0, 1.0, 4.0))
    assert thick.isotropic(np.zeros((16, 64, 3), np.uint8), Slice(1, 0)).shape == (64, 64, 3)
    large = Grid((512, 512, 512), (1.0, 1.0, 1.0))
    assert large.isotropic(np.zeros((512, 512, 3), np.uint8), Slice(2, 0)).shape == (256, 256, 3)


def test_changes_are_told_apart_by_colour_and_no_change_is_black() -> None:
    brighter, same, darker = pictures.change(np.array([[0.5, 0, -0.5]], np.float32), 0.5)[0]
    assert brighter[0] > brighter[2]
    assert darker[2] > darker[0]
    assert same.tolist() == [0, 0, 0]


def test_a_marked_scan_shows_the_edge_of_the_mask() -> None:
    mask = np.zeros((9, 9), bool)
    mask[2:7, 2:7] = True
    shown = pictures.marked(np.full((9, 9), 0.5, np.float32), mask)
    assert (shown[2, 2:7] == pictures.MARKED).all()
    assert (shown[4, 4] != pictures.MARKED).any()
    assert len(set(shown[0, 0].tolist())) == 1


def test_kinds_stand_in_the_order_of_the_taxonomy(made: Set) -> None:
    html = made.html()
    assert re.findall(r"<h3>((?:Local|Global): \w+)</h3>", html) == ["Local: images", "Global: alterations"]


def test_numbers_have_three_digits() -> None:
    assert [page.digits(value) for value in (0.10832, 19.0, 354.2, 1658.4, 0.0)] == [
        "0.108",
        "19.0",
        "354",
        "1658",
        "0.00",
    ]
    assert [page.number(value) for value in (3.0, 0.0667, 949.5)] == ["3", "0.0667", "950"]


def test_kinds_that_are_not_known_any_more_are_shown_all_the_same(made: Set) -> None:
    html = page.to_html([made.shown], None, Kinds({}, {})).decode()
    assert "Local: of unknown group" in html
    assert "textured-solid" in html
