"""Names as a figure can show them: without characters that XML or one line cannot bear, and short enough.

No font is at hand when a figure is written, so widths are estimates on the wide side (DejaVu Sans).
"""

import unicodedata

SIZE = 13.0
SMALL = 11.0
ELLIPSIS = "…"
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
JOINER = "\N{ZERO WIDTH JOINER}"
# Inside this pair a name keeps its own direction, so that its ellipsis stands at its own end.
ISOLATE = "\N{FIRST STRONG ISOLATE}"
END_OF_ISOLATE = "\N{POP DIRECTIONAL ISOLATE}"

_NARROW = frozenset("iljftrI.,:;'|!()[]{}-/\\ ")
_WIDE = frozenset("mwMWQOGDHNUCV@%&+=<>~#")
_DIRECTIONS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


def clean(text: str) -> str:
    """`text` on one line; what XML forbids becomes U+FFFD, and what would turn its neighbours round goes."""
    kept = (character for character in str(text) if unicodedata.bidirectional(character) not in _DIRECTIONS)
    return " ".join("".join(map(_writable, kept)).split())


def _writable(character: str) -> str:
    if character.isspace():
        return " "
    forbidden = unicodedata.category(character) in ("Cc", "Cs") or character in "\ufffe\uffff"
    return REPLACEMENT if forbidden else character


def width_of(text: str, size: float = SIZE) -> float:
    """The estimated width of `text`, in the units of the font's `size`."""
    return sum(map(_em, text)) * size


def _em(character: str) -> float:
    if _belongs_to_the_one_before(character):
        return 0.0
    if unicodedata.east_asian_width(character) in ("W", "F"):
        return 1.1
    if character in _NARROW:
        return 0.4
    if character in _WIDE:
        return 0.9
    return 0.7 if character.isupper() else 0.62


def _belongs_to_the_one_before(character: str) -> bool:
    return unicodedata.category(character) in ("Mn", "Me", "Cf")


def cut(text: str, width: float, size: float = SIZE) -> str:
    """`text` if it fits into `width`, else its beginning and an ellipsis; no character loses its accents."""
    if width_of(text, size) <= width:
        return text
    room = width - width_of(ELLIPSIS, size)
    kept = ""
    for character in text:
        if width_of(kept + character, size) > room:
            break
        kept += character
    end = len(kept)
    while end and end < len(text) and (_belongs_to_the_one_before(text[end]) or text[end - 1] == JOINER):
        end -= 1
    shown = kept[:end].rstrip() + ELLIPSIS
    return f"{ISOLATE}{shown}{END_OF_ISOLATE}" if _is_right_to_left(shown) else shown


def wrapped(text: str, room: float, size: float = SIZE, lines: int = 3) -> list[str]:
    """The words of `text` on as many lines as needed, at most `lines`; what does not fit a line is cut."""
    words, made = text.split(" "), [""]
    for word in words:
        longer = f"{made[-1]} {word}".strip()
        if width_of(longer, size) <= room or not made[-1] or len(made) == lines:
            made[-1] = longer
        else:
            made.append(word)
    return [cut(line, room, size) for line in made]


def _is_right_to_left(text: str) -> bool:
    strong = (unicodedata.bidirectional(character) for character in text)
    return next((kind for kind in strong if kind in ("L", "R", "AL")), "L") != "L"
