"""What is shown of symbols that have nothing to see: one sign for each, the same on pages, in pictures and on terminals."""

_ENDS = {"\n": "↵", "\t": "→"}


def glyphs(text: str, kind: str) -> str:
    """The same text with something to see for each symbol, in its own lines: control characters and stray bytes get a stand-in.

    A carriage return is ←, which every font has.
    """
    table = {code: 0x2400 + code for code in range(32) if chr(code) not in _ENDS} | {127: 0x2421, 13: ord("←")}
    if kind == "bytes":
        table |= dict.fromkeys(range(128, 256), 0xFFFD)
    return text.translate(table)


def in_line(text: str, kind: str = "characters") -> str:
    """The same on one line: line ends and tabs are signs, too.

    >>> in_line("a\\r\\n")
    'a←↵'
    """
    return glyphs(text, kind).translate({ord(end): sign for end, sign in _ENDS.items()})
