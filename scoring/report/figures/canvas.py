"""A figure as an SVG document that reads alike in a report, on a page, in print, on light and on dark ground.

Text and axes take the surrounding text colour; everything is said with presentation attributes and classes,
because a page's Content-Security-Policy may forbid style attributes, style elements and scripts. Numbers have
two decimals, so the same input gives the same bytes.
"""

import math
import re
from xml.etree import ElementTree

from scoring.report.figures.lettering import SIZE, SMALL, clean, cut, wrapped

WIDTH = 640.0
FAINT = 0.18  # opacity of grids and grounds


def number(value: float) -> str:
    """`value` with at most two decimals. Raises `ValueError` when it is NaN or infinite."""
    if not math.isfinite(value):
        raise ValueError(f"a figure cannot show {value}; say None for what is undefined")
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


class Canvas:
    """An SVG of `width` × `height` units that fills the width it is given.

    `prefix` begins its ids, so it must differ from that of every other figure of the page; `kind` names its
    class, `figure-kind`. `title` and `desc` are what a screen reader says. Raises `ValueError` when `prefix`
    cannot begin an id.
    """

    def __init__(
        self, height: float, *, prefix: str, kind: str, title: str, desc: str, width: float = WIDTH
    ) -> None:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", prefix):
            raise ValueError(f"ids cannot begin with {prefix!r}")
        self.width = width
        self.height = height
        self.root = ElementTree.Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                "viewBox": f"0 0 {number(width)} {number(height)}",
                "width": "100%",
                "role": "img",
                "aria-labelledby": f"{prefix}-title",
                "aria-describedby": f"{prefix}-desc",
                "class": f"figure figure-{kind}",
                "direction": "ltr",
                "font-family": "system-ui, sans-serif",
                "font-size": number(SIZE),
                "fill": "currentColor",
            },
        )
        self.add("title", id=f"{prefix}-title").text = clean(title)
        self.add("desc", id=f"{prefix}-desc").text = clean(desc)

    def add(
        self,
        tag: str,
        within: ElementTree.Element | None = None,
        told: str | None = None,
        /,
        **attributes: str | float | None,
    ) -> ElementTree.Element:
        """A new element; `told` is its tooltip. The attribute `stroke_width` is written stroke-width."""
        parent = self.root if within is None else within
        said = {
            name.rstrip("_").replace("_", "-"): value if isinstance(value, str) else number(value)
            for name, value in attributes.items()
            if value is not None
        }
        element = ElementTree.SubElement(parent, tag, said)
        if told is not None:
            ElementTree.SubElement(element, "title").text = clean(told)
        return element

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        told: str | None = None,
        within: ElementTree.Element | None = None,
        **attributes: str | float,
    ) -> None:
        """A rectangle with its upper left corner at (x, y)."""
        self.add("rect", within, told, x=x, y=y, width=width, height=height, **attributes)

    def line(
        self, x1: float, y1: float, x2: float, y2: float, *, faint: bool = False, width: float = 1.0
    ) -> None:
        """A straight line in the text colour."""
        opacity = FAINT if faint else None
        self.add(
            "line",
            x1=x1,
            y1=y1,
            x2=x2,
            y2=y2,
            stroke="currentColor",
            stroke_width=width,
            stroke_opacity=opacity,
        )

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        anchor: str = "start",
        size: float = SIZE,
        room: float | None = None,
        turned: float | None = None,
        within: ElementTree.Element | None = None,
        **attributes: str | float,
    ) -> None:
        """`text` with its middle at height `y`; cut to `room`, and then kept whole in a title."""
        whole = clean(text)
        shown = whole if room is None else cut(whole, room, size)
        parent = within
        if shown != whole:
            parent = self.add("g", within, whole)
        self.add(
            "text",
            parent,
            x=x,
            y=y,
            dy="0.35em",
            text_anchor=None if anchor == "start" else anchor,
            font_size=None if size == SIZE else size,
            transform=None if turned is None else f"rotate({number(turned)} {number(x)} {number(y)})",
            **attributes,
        ).text = shown

    def paragraph(self, x: float, top: float, text: str, *, room: float) -> None:
        """Small text around `x` from `top` on, on up to three lines of at most `room`; whole in a title."""
        whole = clean(text)
        lines = wrapped(whole, room, SMALL)
        parent = self.root if " ".join(lines) == whole else self.add("g", None, whole)
        for row, line in enumerate(lines):
            self.text(x, top + row * 14, line, anchor="middle", size=SMALL, within=parent)

    def note(
        self, x: float, y: float, text: str, *, anchor: str = "start", room: float | None = None
    ) -> None:
        """Small text beside the marks."""
        self.text(x, y, text, anchor=anchor, size=SMALL, room=room, fill_opacity=0.8)

    def svg(self) -> str:
        """The document as text."""
        return ElementTree.tostring(self.root, encoding="unicode")


def nothing(*, prefix: str, kind: str, title: str) -> str:
    """The figure that stands where there is nothing to show yet."""
    canvas = Canvas(60, prefix=prefix, kind=kind, title=title, desc="There is nothing to show yet.")
    canvas.text(WIDTH / 2, 30, "Nothing to show yet", anchor="middle", fill_opacity=0.8)
    return canvas.svg()
