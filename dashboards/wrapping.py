"""Words that have to fit a width: broken into lines, measured by the letters that they are drawn with.

No word is cut or left out: one that is wider than the line is broken inside, where its parts meet if it has any.
"""

import re
from functools import cache
from pathlib import Path

import matplotlib
from PIL import ImageFont

_SEAMS = re.compile(r"(?<=[:_/-])|(?<=[a-z])(?=[A-Z])")


@cache
def font(letters: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu, which matplotlib brings, so that a sheet looks alike on every machine; `letters` is its size in pixels."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, letters)


def wrapped(text: str, width: int, letters: int, bold: bool = False, hang: str = "") -> list[str]:
    """The text in lines no wider than `width`, all but the first begun with `hang`.

    Broken at spaces; a word that is wider by itself, inside: after its marks and before its capitals, or else anywhere.
    """
    face, lines, line = font(letters, bold), [], ""
    for word in text.split(" "):  # not at a no-break space
        if line and face.getlength(f"{line} {word}") <= width:
            line = f"{line} {word}"
            continue
        lines += [line] if line else []
        line = hang + word if lines else word
        while face.getlength(line) > width and len(line) > (first := len(hang) if lines else 0) + 1:
            place = _break(line, width, face, first)
            lines, line = [*lines, line[:place]], hang + line[place:]
    return [*lines, line] if line else lines


def _break(line: str, width: int, face: ImageFont.FreeTypeFont, first: int) -> int:
    """Where to break a word that is wider than the line, at least one letter after `first`: at a colon if there is one."""
    fits = next(end for end in range(len(line), first, -1) if end == first + 1 or face.getlength(line[:end]) <= width)
    inside = [match.start() for match in _SEAMS.finditer(line) if first < match.start() <= fits]
    colons = [place for place in inside if line[place - 1] == ":"]
    return (colons or inside or [fits])[-1]
