from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.anomalies.alterations.blur import Blur, blurred
from datasets.anomalies.corruptions.local_shuffle import LocalShuffle, shuffled
from datasets.anomalies.destructions.slice_dropout import SliceDropout, without_slices
from datasets.anomalies.insert import NotVisibleError, alter_globally, insert_local, visible_change
from datasets.anomalies.kinds import GLOBAL, LOCAL
from datasets.anomalies.pathologies.textured_lesion import TexturedLesion, with_lesion
from datasets.anomalies.scene import Difficulty, Scene, place
from datasets.anomalies.toys.sphere import Sphere
from tests.unit.datasets.conftest import scene

BOTH = ["abdomen", "brain"]
SIMPLE = ["blur", "local-shuffle", "poisson-patch", "slice-dropout", "sphere", "textured-lesion"]


def _grey(value: float = 0.5, sides: int = 24) -> NDArray[np.float32]:
    return np.full((sides,) * 3, value, np.float32)


@lru_cache
def _tiny(seed: int) -> Scene:
    return scene("brain", seed, sides=10)


@pytest.mark.parametrize("kind", SIMPLE)
def test_the_simple_kinds_can_be_drawn_in_a_tiny_volume(kind: str) -> None:
    insert = insert_local if kind in LOCAL else alter_globally
    for seed in range(3):
        altered = insert((LOCAL | GLOBAL)[kind], np.random.default_rng(seed), _tiny(seed), "medium")
        assert altered.parameters["attempts"] >= 1


def test_a_faint_draw_is_repeated_until_it_can_be_seen() -> None:
    where = scene("brain", 0)

    class Faint(Sphere):
        drawn = 0

        @classmethod
        def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> "Faint":
            Faint.drawn += 1
            good = Sphere.draw(rng, scene, difficulty)
            return cls(good.centre, 0.0 if Faint.drawn < 4 else 5.0, 0.0)

    assert insert_local(Faint, np.random.default_rng(0), where, "hard").parameters["attempts"] == 4


def test_a_kind_that_never_shows_ends_in_an_error_that_says_what_to_change() -> None:
    class Nothing(Blur):
        def apply(self, scene: Scene) -> NDArray[np.float32]:
            return scene.subject.image

    for insert in (insert_local, alter_globally):
        with pytest.raises(NotVisibleError, match=r"blur.*use larger volumes, another difficulty or"):
            insert(Nothing, np.random.default_rng(0), _tiny(0), "easy")


def test_a_scan_without_anatomy_is_refused() -> None:
    with pytest.raises(ValueError, match="no anatomy"):
        place(np.random.default_rng(0), np.zeros((4, 4, 4), bool), 1)


def test_a_place_lies_in_the_foreground_and_away_from_its_edge_where_it_can() -> None:
    foreground = np.zeros((20, 20, 20), bool)
    foreground[3:17, 3:17, 3:17] = True
    for seed in range(20):
        centre = place(np.random.default_rng(seed), foreground, 3)
        assert all(4 <= index <= 15 for index in centre)


def test_a_sphere_is_uniform_inside_and_its_volume_is_that_of_a_ball() -> None:
    altered = Sphere((12, 12, 12), 6.0, 0.9).painted(_grey())
    assert np.all(altered[10:15, 10:15, 10:15] == np.float32(0.9))
    assert (altered - 0.5).sum() / 0.4 == pytest.approx(4 / 3 * np.pi * 6**3, rel=0.03)
    assert altered[12, 12, 19] == 0.5


def test_a_lesion_is_textured_and_its_surroundings_are_left_alone() -> None:
    where = scene("abdomen", 2, sides=48)
    lesion = TexturedLesion.draw(np.random.default_rng(0), where, "medium")
    altered = with_lesion(_grey(sides=48), lesion)
    changed = np.abs(altered - 0.5) > 0.02
    assert altered[changed].std() > 0.02
    places = np.argwhere(changed) - lesion.centre
    assert np.abs(places).max() <= 1.6 * max(lesion.radii) + 2


def test_a_shuffle_keeps_every_value_and_the_identity_changes_nothing() -> None:
    image = np.random.default_rng(0).random((12, 13, 14), dtype=np.float32)
    order = tuple(int(i) for i in np.random.default_rng(1).permutation(27))
    moved = shuffled(image, LocalShuffle((1, 2, 3), 3, order))
    assert not np.array_equal(moved, image)
    assert np.array_equal(np.sort(moved, axis=None), np.sort(image, axis=None))
    assert np.array_equal(shuffled(image, LocalShuffle((1, 2, 3), 3, tuple(range(27)))), image)


def test_block_i_of_a_shuffle_comes_from_the_block_that_order_names() -> None:
    image = np.arange(64, dtype=np.float32).reshape(4, 4, 4)
    moved = shuffled(image, LocalShuffle((0, 0, 0), 2, (7, 1, 2, 3, 4, 5, 6, 0)))
    assert np.array_equal(moved[:2, :2, :2], image[2:, 2:, 2:])
    assert np.array_equal(moved[2:, 2:, 2:], image[:2, :2, :2])
    assert np.array_equal(moved[:2, :2, 2:], image[:2, :2, 2:])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_dropped_slices_are_empty_and_the_others_untouched(axis: int) -> None:
    image = np.random.default_rng(0).random((6, 7, 8), dtype=np.float32)
    result = np.moveaxis(without_slices(image, SliceDropout(axis, (2, 4), 0.0)), axis, 0)
    assert not result[[2, 4]].any()
    kept = [i for i in range(result.shape[0]) if i not in (2, 4)]
    assert np.array_equal(result[kept], np.moveaxis(image, axis, 0)[kept])


def test_blur_keeps_a_constant_and_takes_away_detail() -> None:
    assert np.allclose(blurred(_grey(), Blur(1.5)), 0.5)
    noise = np.random.default_rng(0).random((16, 16, 16), dtype=np.float32)
    assert blurred(noise, Blur(1.0)).std() < 0.5 * noise.std()


def test_holes_and_gaps_of_a_visible_change_belong_to_its_mask() -> None:
    before, after = np.zeros((15, 15, 15), np.float32), np.zeros((15, 15, 15), np.float32)
    after[3:12, 3:12, 3:12] = 1
    after[6:9, 6:9, 6:9] = 0
    after[3:12, 3:12, 10] = 0
    mask = visible_change(before, after, 0.5)
    assert mask[5:10, 5:10, 3:12].all()
    assert mask[after > 0].all()
    assert mask.sum() <= 9**3


def test_a_change_at_the_border_of_the_volume_keeps_its_mask() -> None:
    before, after = np.zeros((8, 8, 8), np.float32), np.zeros((8, 8, 8), np.float32)
    after[:3, :3, :3] = 1
    assert np.array_equal(visible_change(before, after, 0.5), after > 0)
