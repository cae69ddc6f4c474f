"""The same person with something medically unusual about them."""

from collections.abc import Mapping

from datasets.anomalies.scene import Floats, Scene


def redrawn(scene: Scene, condition: Mapping[str, float]) -> Floats:
    """The scan of the scene's person with the condition.

    Raises:
        ValueError: it is an imported scan, of which nobody knows how it would look with the condition.
    """
    if scene.redraw is None:
        raise ValueError("medical conditions need people that can be drawn again, not imported scans")
    return scene.redraw(condition).image
