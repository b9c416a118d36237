"""Colours. All of them keep apart for the colour-blind, of every kind, and in grey print by their lightness."""

RED = "#e4572e"
BLUE = "#1d5fa8"
SERIES = (BLUE, RED, "#27ae88", "#5315c3", "#fa9a04", "#bad06d")
INK = "#16191d"
PAPER = "#ffffff"


def blend(value: float, paper: str = PAPER, strength: float = 0.66) -> str:
    """The colour of a value from −1 (red) over 0 (paper) to +1 (blue), as `#rrggbb`.

    >>> blend(0), blend(-1, strength=1.0)
    ('#ffffff', '#e4572e')
    """
    share = min(abs(value), 1.0) * strength
    target = BLUE if value > 0 else RED
    mixed = (round((1 - share) * int(paper[k : k + 2], 16) + share * int(target[k : k + 2], 16)) for k in (1, 3, 5))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)
