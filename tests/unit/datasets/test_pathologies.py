"""What is special about each pathology; `test_kinds` tries what holds for all kinds."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.anomalies import lesions, shades
from datasets.anomalies.pathologies.abdominal_cyst import VISCERA, AbdominalCyst
from datasets.anomalies.pathologies.aortic_aneurysm import AorticAneurysm, axis_of
from datasets.anomalies.pathologies.arachnoid_cyst import ArachnoidCyst
from datasets.anomalies.pathologies.bowel_wall import BowelWall, connected
from datasets.anomalies.pathologies.calcification import Calcification
from datasets.anomalies.pathologies.cerebral_aneurysm import CerebralAneurysm
from datasets.anomalies.pathologies.glioma import Glioma
from datasets.anomalies.pathologies.haemorrhage import Haemorrhage
from datasets.anomalies.pathologies.infarct import Infarct
from datasets.anomalies.pathologies.kinds import KINDS
from datasets.anomalies.pathologies.liver_metastases import LiverMetastases
from datasets.anomalies.pathologies.renal_mass import RenalMass
from datasets.anomalies.pathologies.ring_tumour import RingTumour
from datasets.anomalies.regions import depth_in
from datasets.anomalies.scene import DIFFICULTIES, Difficulty, Scene, box_around
from datasets.plan import POPULATIONS
from tests.unit.datasets.conftest import EXTENT_MM

SIDES = 64
SEEDS = range(4)


@lru_cache
def _scene(population: str, variant: str | None = None, seed: int = 0) -> Scene:
    spacing = tuple(mm / SIDES for mm in EXTENT_MM[population])
    rng = np.random.default_rng([seed, 21])
    return Scene(POPULATIONS[population].draw(rng, (SIDES,) * 3, spacing, {}, variant), population=population)


def _drawn(kind: Any, where: Scene, seed: int = 0, difficulty: Difficulty = "easy") -> Any:
    return kind.draw(np.random.default_rng([seed, 3]), where, difficulty)


def _depth(where: Scene, lesion: Any) -> NDArray[np.float32]:
    """Over the whole scan, without lumps."""
    return depth_in(lesions.Crop.around(where, lesion.centre, SIDES).away, lesion.radii)


def _label(where: Scene, lesion: Any, *names: str) -> bool:
    return bool(where.tissue(*names)[lesion.centre])


def _change(where: Scene, lesion: Any) -> NDArray[np.float32]:
    return lesion.apply(where) - where.subject.image


def _imported(where: Scene) -> Scene:
    """The same scan without anything that only a generated one has."""
    subject = replace(where.subject, labels=np.zeros((0, 0, 0), np.uint8), properties={})
    return Scene(subject)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_every_pathology_can_be_put_into_a_scan_without_labels(kind: Any, difficulty: Difficulty) -> None:
    for population in kind.populations:
        where = _imported(_scene(population))
        changes = [_change(where, _drawn(kind, where, seed, difficulty)) for seed in SEEDS]
        assert all(np.isfinite(change).all() for change in changes)
        assert max(np.abs(change).max() for change in changes) > where.subject.noise


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.name != "textured-lesion"])
def test_a_pathology_changes_only_a_crop_and_fades_to_nothing_at_its_border(kind: Any) -> None:
    for population in kind.populations:
        where = _scene(population)
        for seed in SEEDS:
            lesion = _drawn(kind, where, seed, "hard")
            found = np.abs(_change(where, lesion)) > 1e-4
            lines = [np.flatnonzero(found.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
            assert all(np.ptp(line) < 0.7 * SIDES for line in lines)


def test_tissue_is_pushed_outwards_less_and_less_and_not_at_all_where_the_mass_effect_ends() -> None:
    depth = np.linspace(1, 3, 201, dtype=np.float32)
    before = depth * lesions.pushed_from(depth, 0.4, 2.0)
    assert before[1] == pytest.approx(0.4, abs=0.03)
    assert np.all(before <= depth + 1e-6)
    assert np.all(np.diff(before) > 0)
    assert np.all(np.diff(depth - before) <= 1e-6)
    assert before[depth >= 2] == pytest.approx(depth[depth >= 2])


def test_a_mark_beside_a_growing_lesion_moves_away_from_it() -> None:
    where = _imported(_scene("brain"))
    image = np.zeros((SIDES,) * 3, np.float32)
    image[39, 32, 32] = 1
    subject = replace(where.subject, image=image, foreground=np.ones_like(image, bool))
    crop = lesions.Crop.around(Scene(subject), (32, 32, 32), 14)
    factor = lesions.pushed_from(depth_in(crop.away, (6.0, 6.0, 6.0)), 0.3, 2.2)
    sources = lesions.come_from(crop, factor, np.ones(crop.shape, np.float32))
    after = lesions.moved(crop.image, sources)
    across = (after.sum(axis=(1, 2)) * crop.away[0, :, 0, 0]).sum() / after.sum()
    assert across > 8.5


def test_what_cannot_move_stays_where_it_is() -> None:
    where = _scene("abdomen")
    spine = np.argwhere(where.tissue("marrow"))
    centre = tuple(int(c) for c in spine[len(spine) // 2])
    crop = lesions.Crop.around(where, centre, 8)
    freedom = crop.freedom()
    assert not freedom[crop.inside("bone", "marrow")].any()
    assert freedom.max() == 1
    assert np.all(lesions.Crop.around(_scene("brain"), (32, 32, 32), 8).freedom() == 1)


@pytest.mark.parametrize("variant", ["t1", "t2"])
def test_the_ring_of_a_tumour_differs_from_its_core_as_the_weighting_says(variant: str) -> None:
    where = _scene("brain", variant)
    for seed in SEEDS:
        tumour = _drawn(RingTumour, where, seed)
        plain = replace(tumour, lumpiness=0.0, opacity=1.0)
        after, depth = plain.apply(where), _depth(where, plain)
        core = after[depth < 1 - 2.5 * plain.wall].mean()
        ring = after[np.abs(depth - 1 + plain.wall / 2) < plain.wall / 4].mean()
        assert ring > core if variant == "t1" else ring < core
        assert _label(where, tumour, "white")


def test_oedema_fills_white_matter_only() -> None:
    where = _scene("brain", "t2")
    for seed in SEEDS:
        tumour = replace(_drawn(RingTumour, where, seed), kept=1.0, lumpiness=0.0)
        change, depth = _change(where, tumour), _depth(where, tumour)
        crop = lesions.Crop.around(where, (32, 32, 32), SIDES)
        white, around = crop.share("white"), (depth > 1.25) & (depth < tumour.spread)
        assert change[around & (white > 0.9)].mean() > 0.05
        assert np.abs(change[around & (white < 0.05)]).max(initial=0) < 0.02


@pytest.mark.parametrize(("variant", "sign"), [("t1", -1), ("t2", 1)])
def test_a_glioma_is_dark_in_t1_and_bright_in_t2_and_starts_in_white_matter(variant: str, sign: int) -> None:
    where = _scene("brain", variant)
    for seed in SEEDS:
        glioma = _drawn(Glioma, where, seed)
        white = where.tissue("white") & (_depth(where, glioma) < 0.6)
        assert sign * _change(where, replace(glioma, kept=1.0))[white].mean() > 0.08
        assert _label(where, glioma, "white")


def test_an_infarct_widens_from_its_apex_inside_to_the_cortex() -> None:
    where = _scene("brain", "t2")
    heart = lesions.middle(where.tissue("grey", "white"))
    for seed in SEEDS:
        infarct = replace(_drawn(Infarct, where, seed), form=0)
        axis, centre = np.array(infarct.axis), np.array(infarct.centre)
        apex, base = centre - axis / 2, centre + axis / 2
        assert np.linalg.norm(apex - heart) < np.linalg.norm(base - heart)
        crop = lesions.Crop.around(where, infarct.centre, SIDES)
        along = np.tensordot(axis / (axis @ axis), crop.away, axes=1) + 0.5
        inside = infarct.territory(crop)
        near, far = (inside[np.abs(along - at) < 0.12].sum() for at in (0.3, 0.8))
        assert 0 < near < 0.7 * far


def test_an_infarct_spares_the_ventricles() -> None:
    where = _scene("brain", "t2")
    for seed in SEEDS:
        change = np.abs(_change(where, _drawn(Infarct, where, seed)))
        share = lesions.Crop.around(where, (32, 32, 32), SIDES).share("grey", "white", "csf")
        assert change[where.tissue("ventricles") & (share < 0.1)].max(initial=0) < 0.03


def test_an_arachnoid_cyst_looks_like_fluid_and_reaches_the_brain_s_surface() -> None:
    where = _scene("brain")
    for seed in SEEDS:
        cyst = _drawn(ArachnoidCyst, where, seed)
        after = cyst.apply(where)
        out = np.array(cyst.out) * np.arange(0, SIDES, 0.5)[:, None] + np.array(cyst.centre)
        ray = tuple(np.clip(np.rint(out).astype(int), 0, SIDES - 1).T)
        seen = where.subject.foreground[ray]
        assert after[ray][seen] == pytest.approx(cyst.intensity, abs=0.06)
        assert cyst.intensity == pytest.approx(np.median(where.subject.image[where.tissue("csf")]), abs=0.12)


@pytest.mark.parametrize(("population", "names"), [("brain", ("white", "grey")), ("abdomen", ("fat",))])
def test_a_haematoma_lies_in_tissue_and_may_settle_in_layers(population: str, names: tuple[str, ...]) -> None:
    where = _scene(population)
    for seed in SEEDS:
        blood = _drawn(Haemorrhage, where, seed)
        assert _label(where, blood, *names)
        settled = replace(blood, settled=0.2, opacity=1.0).apply(where)
        mixed = replace(blood, settled=0.0, opacity=1.0).apply(where)
        up = lesions.Crop.around(where, blood.centre, SIDES).away[1] * blood.up / blood.radii[1]
        inside = (_depth(where, blood) < 0.6) & (mixed > 0)
        assert (mixed - settled)[inside & (up > 0.2)].mean() > 0.02
        assert np.abs(mixed - settled)[inside & (up < -0.25)].mean() < 0.01


def test_lime_is_black_in_magnetic_resonance_and_white_in_ct() -> None:
    for population, sign in (("brain", -1), ("abdomen", 1)):
        where = _scene(population)
        for seed in SEEDS:
            change = _change(where, _drawn(Calcification, where, seed))
            strong = np.abs(change) > 0.5 * np.abs(change).max()
            assert sign * change[strong].mean() > 0.15


def test_an_aneurysm_of_the_brain_lies_at_a_vessel_and_flow_is_black_in_t2() -> None:
    where = _scene("brain", "t2")
    vessels = np.argwhere(where.tissue("vessels"))
    for seed in SEEDS:
        sac = _drawn(CerebralAneurysm, where, seed)
        away = np.abs((vessels - np.array(sac.centre)) / np.array(sac.radii))
        assert np.linalg.norm(away, axis=1).min() < 1.2
        after = replace(sac, level=5.0).apply(where)
        inside = (_depth(where, sac) < 0.6) & where.subject.foreground
        assert after[inside].mean() < 0.5 * shades.tissue(lesions.Crop.around(where, sac.centre, 20), "grey")


def test_metastases_lie_in_the_liver_and_change_nothing_else() -> None:
    where = _scene("abdomen")
    outside = lesions.Crop.around(where, (32, 32, 32), SIDES).share("liver") < 0.2
    for seed in SEEDS:
        targets = _drawn(LiverMetastases, where, seed)
        assert _label(where, targets, "liver")
        assert all(where.tissue("liver")[centre] for centre, _, _ in targets.others)
        change = _change(where, targets)
        assert np.abs(change).max() > 2 * where.subject.noise
        assert not change[outside].any()


def test_a_renal_mass_lies_at_a_kidney_and_bulges_out_of_it() -> None:
    where = _scene("abdomen")
    kidneys = where.tissue("kidneys")
    for seed in SEEDS:
        mass = _drawn(RenalMass, where, seed)
        inside = _depth(where, mass) < 1
        assert (inside & kidneys).any()
        assert (inside & ~kidneys).sum() > 0.2 * inside.sum()


def test_a_cyst_of_the_abdomen_is_fluid_with_a_denser_wall() -> None:
    where, found = _scene("abdomen"), []
    for seed in SEEDS:
        cyst = replace(_drawn(AbdominalCyst, where, seed), septa=0, opacity=1.0, lumpiness=0.0)
        after, depth = cyst.apply(where), _depth(where, cyst)
        freedom = lesions.Crop.around(where, (32, 32, 32), SIDES).freedom()
        core = (depth < 0.5) & (freedom == 1)
        if core.any():  # not all of it under the skin
            found.append(float(after[core].mean()) - cyst.intensity)
        assert cyst.wall > cyst.intensity
    assert found == pytest.approx([0.0] * len(found), abs=0.03)
    assert found


def test_a_thickened_wall_narrows_the_colon_where_the_lesion_is_and_nowhere_else() -> None:
    where = _scene("abdomen")
    hollow = where.tissue("colon-gas", "colon-fluid")
    for seed in SEEDS:
        wall = _drawn(BowelWall, where, seed)
        change, depth = _change(where, wall), _depth(where, wall)
        assert hollow[wall.centre]
        assert (np.abs(change[hollow & (depth < 1)]) > 0.1).any()
        assert not change[depth > 1.01].any()


def test_only_the_loop_that_the_lesion_lies_in_thickens() -> None:
    where = np.zeros((9, 3, 3), bool)
    where[1:3], where[6:8] = True, True
    assert connected(where, (1, 1, 1)).sum() == 18
    assert not connected(where, (1, 1, 1))[6:8].any()
    assert np.array_equal(connected(where, (4, 1, 1)), where)


def test_an_aneurysm_follows_the_aorta_and_stands_forwards_of_it() -> None:
    where = _scene("abdomen")
    aorta = where.tissue("aorta")
    for seed in SEEDS:
        sac = _drawn(AorticAneurysm, where, seed)
        assert aorta[sac.centre]
        crop = lesions.Crop.around(where, sac.centre, 10)
        x, y = axis_of(crop, sac.centre)
        middle = crop.shape[2] // 2
        found = np.argwhere(crop.inside("aorta")[:, :, middle]).mean(axis=0)
        start = np.array([crop.away[0, 0, 0, 0], crop.away[1, 0, 0, 0]])
        assert np.abs(found + start - (x[middle], y[middle])).max() < 1.0
        change = np.abs(_change(where, sac)) > where.subject.noise
        assert np.argwhere(change)[:, 1].mean() > sac.centre[1]


def test_tissue_that_is_bone_is_not_replaced_by_an_aneurysm() -> None:
    where = _scene("abdomen")
    change = _change(where, _drawn(AorticAneurysm, where))
    assert not change[where.tissue("bone", "marrow")].any()


def test_a_cyst_of_the_abdomen_lies_among_organs_not_below_the_skin() -> None:
    where = _scene("abdomen")
    for seed in range(12):
        cyst = _drawn(AbdominalCyst, where, seed)
        box = box_around(cyst.centre, round(2 * max(cyst.radii)), (SIDES,) * 3)
        near = lesions.labelled(where, box, *VISCERA)
        assert near.mean() > 0.15
