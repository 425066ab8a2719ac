r"""Tables as LaTeX, for the booktabs package; long ones for longtable. Compiles with pdflatex, xelatex and lualatex.

Names of arms and classes are plain text whatever they hold: special characters are escaped, accents and Greek letters
become commands, and a letter that pdflatex has no font for is printed as `U+9C81` there and as itself elsewhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from analysis.files.table import Cell, Figure, Table, plain, printed, printed_interval

# More rows than this do not fit on a page.
ROWS_ON_A_PAGE = 45
# Texts of more letters than this are broken into lines.
LONG_TEXT = 38

# More letters than this in a line do not fit between the margins, so the table is scaled down.
LETTERS_IN_A_LINE = 76
LETTERS_BETWEEN = 2.5
# LaTeX keeps eighteen floats waiting for a page, then gives up.
FLOATS_HELD = 12
# A line per rater or per comparison is for a supplement, as CSV.
NOT_PRINTED = ("rater_quality", "shrunken_pairs")

NEEDS = r"% Needs \usepackage{booktabs,longtable,graphicx}."
# In pdflatex the other branches are skipped, so the letter itself does no harm there.
UNICODE_LETTER = (
    r"\providecommand{\unicodeletter}[2]{\ifdefined\XeTeXversion #1\else\ifdefined\directlua #1"
    r"\else\texttt{U+#2}\fi\fi}"
)

SPECIAL = {character: f"\\{character}" for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"{\char34}",
    "`": r"\textasciigrave{}",
    "[": "{[}",
    "]": "{]}",
    "\N{MINUS SIGN}": "$-$",
    "\N{NO-BREAK SPACE}": "~",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{DEGREE SIGN}": r"$^\circ$",
    "\N{EN DASH}": r"\textendash{}",
    "\N{EM DASH}": r"\textemdash{}",
    "\N{LEFT SINGLE QUOTATION MARK}": "`",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": "``",
    "\N{RIGHT DOUBLE QUOTATION MARK}": "''",
    "\N{HORIZONTAL ELLIPSIS}": r"\dots{}",
    "\N{RIGHTWARDS ARROW}": r"$\to$",
    "\N{INFINITY}": r"$\infty$",
    "\N{LESS-THAN OR EQUAL TO}": r"$\le$",
    "\N{GREATER-THAN OR EQUAL TO}": r"$\ge$",
    "\N{LATIN SMALL LETTER SHARP S}": r"\ss{}",
    "\N{LATIN SMALL LETTER AE}": r"\ae{}",
    "\N{LATIN CAPITAL LETTER AE}": r"\AE{}",
    "\N{LATIN SMALL LETTER O WITH STROKE}": r"\o{}",
    "\N{LATIN CAPITAL LETTER O WITH STROKE}": r"\O{}",
    "\N{LATIN SMALL LIGATURE OE}": r"\oe{}",
    "\N{LATIN CAPITAL LIGATURE OE}": r"\OE{}",
    "\N{LATIN SMALL LETTER L WITH STROKE}": r"\l{}",
    "\N{LATIN CAPITAL LETTER L WITH STROKE}": r"\L{}",
    "\N{LATIN SMALL LETTER DOTLESS I}": r"\i{}",
}
ACCENTS = {
    "\N{COMBINING GRAVE ACCENT}": "`",
    "\N{COMBINING ACUTE ACCENT}": "'",
    "\N{COMBINING CIRCUMFLEX ACCENT}": "^",
    "\N{COMBINING TILDE}": "~",
    "\N{COMBINING MACRON}": "=",
    "\N{COMBINING BREVE}": "u",
    "\N{COMBINING DOT ABOVE}": ".",
    "\N{COMBINING DIAERESIS}": '"',
    "\N{COMBINING RING ABOVE}": "r",
    "\N{COMBINING DOUBLE ACUTE ACCENT}": "H",
    "\N{COMBINING CARON}": "v",
    "\N{COMBINING DOT BELOW}": "d",
    "\N{COMBINING CEDILLA}": "c",
}
# The Greek letters that have a command of their own; the others look like Latin ones.
GREEK = {
    unicodedata.lookup(f"GREEK {case} LETTER {name.upper()}"): f"${command}$"
    for name in ("gamma", "delta", "theta", "xi", "pi", "sigma", "upsilon", "phi", "psi", "omega")
    for case, command in (("SMALL", f"\\{name}"), ("CAPITAL", f"\\{name.title()}"))
} | {
    unicodedata.lookup(f"GREEK SMALL LETTER {name.upper()}"): f"$\\{name}$"
    for name in ("alpha", "beta", "epsilon", "zeta", "eta", "iota", "kappa", "mu", "nu", "rho", "tau", "chi")
}
GREEK["\N{GREEK SMALL LETTER LAMDA}"], GREEK["\N{GREEK CAPITAL LETTER LAMDA}"] = r"$\lambda$", r"$\Lambda$"
GREEK["\N{MICRO SIGN}"] = r"$\mu$"


def latex_file(tables: Iterable[Table]) -> str:
    r"""All tables but the longest lists, with captions and notes, to be \input into a paper that loads NEEDS."""
    printed_ones = [latex_table(table) for table in tables if table.name not in NOT_PRINTED]
    body = "\n".join(text for at, one in enumerate(printed_ones) for text in (*_room_before(at), one))
    needed = (NEEDS, UNICODE_LETTER) if r"\unicodeletter" in body else (NEEDS,)
    return "\n".join((*needed, "", body))


def latex_table(table: Table) -> str:
    """One table: a float, or a longtable where it would not fit on a page."""
    lines = _long(table) if len(table.rows) > ROWS_ON_A_PAGE else _float(table)
    return "\n".join((f"% {_comment(table)}", *lines, ""))


def _room_before(at: int) -> tuple[str, ...]:
    return ("\\clearpage % LaTeX holds few floats at a time.\n",) if at and not at % FLOATS_HELD else ()


def escaped(text: str) -> str:
    """Any text as LaTeX that prints it."""
    # A letter and its accents are one character where Unicode has one, two where not: seen apart they are the same.
    written = "".join(_clusters(unicodedata.normalize("NFD", text)))
    # Two hyphens in a row would be joined to a dash.
    return re.sub("-(?=-)", "-{}", written)


def _clusters(text: str) -> Iterator[str]:
    letter, accents = "", ""
    for character in text:
        if letter and unicodedata.combining(character):
            accents += character
            continue
        yield _accented(letter, accents)
        letter, accents = character, ""
    yield _accented(letter, accents)


def _accented(letter: str, accents: str) -> str:
    whole = unicodedata.normalize("NFC", letter + accents)
    if accents and letter.isascii() and all(accent in ACCENTS for accent in accents):
        written = letter
        for accent in accents:
            written = f"\\{ACCENTS[accent]}{{{written}}}"
        return written
    return "".join(_character(character) for character in whole)


def _character(character: str) -> str:
    if character in SPECIAL:
        return SPECIAL[character]
    if character in GREEK:
        return GREEK[character]
    if character.isspace() or not character.isprintable():
        return " "
    return character if character.isascii() else rf"\unicodeletter{{{character}}}{{{ord(character):04X}}}"


def _comment(table: Table) -> str:
    words = f"{table.name}: {' against '.join(table.arms)}" if table.arms else table.name
    return " ".join(words.split())


def _float(table: Table) -> Iterator[str]:
    yield r"\begin{table}[htbp]"
    yield r"\centering\small"
    yield rf"\caption{{{_caption(table)}}}"
    is_wide = _letters(table) > LETTERS_IN_A_LINE
    if is_wide:
        yield r"\resizebox{\linewidth}{!}{%"
    yield rf"\begin{{tabular}}{{{_alignment(table)}}}"
    yield r"\toprule"
    yield _head(table)
    yield r"\midrule"
    yield from _rows(table)
    yield r"\bottomrule"
    yield r"\end{tabular}}" if is_wide else r"\end{tabular}"
    yield from (rf"\par\smallskip\parbox{{0.95\linewidth}}{{\footnotesize {note}}}" for note in _notes(table))
    yield r"\end{table}"


def _long(table: Table) -> Iterator[str]:
    yield r"\begingroup\footnotesize\setlength{\tabcolsep}{4pt}"
    yield rf"\begin{{longtable}}{{{_alignment(table)}}}"
    yield rf"\caption{{{_caption(table)}}}\\"
    for end in (r"\endfirsthead", r"\endhead"):
        yield r"\toprule"
        yield _head(table)
        yield r"\midrule"
        yield end
    yield r"\bottomrule"
    yield r"\endfoot"
    yield from _rows(table)
    yield r"\end{longtable}"
    yield from (rf"\noindent{{\footnotesize {note}}}\par" for note in _notes(table))
    yield r"\endgroup"


def _caption(table: Table) -> str:
    return escaped(f"{table.title}: {' against '.join(table.arms)}." if table.arms else f"{table.title}.")


def _alignment(table: Table) -> str:
    return "".join(_column(tuple(table.column(index)), first=not index) for index in range(len(table.columns)))


def _column(cells: tuple[Cell, ...], *, first: bool) -> str:
    if not first and any(isinstance(cell, Figure) for cell in cells):
        return "r"
    return r"p{0.36\linewidth}" if max((len(printed(cell)) for cell in cells), default=0) > LONG_TEXT else "l"


def _letters(table: Table) -> float:
    """About how many letters wide the table is, the space between columns with it."""
    columns = range(len(table.columns))
    widest = (max(map(_width, (table.columns[at].title, *map(plain, table.column(at))))) for at in columns)
    return sum(widest) + LETTERS_BETWEEN * len(table.columns)


def _width(text: str) -> int:
    # A letter that is printed as its number takes the room of six.
    return sum(1 if unicodedata.normalize("NFD", letter)[0].isascii() else 6 for letter in text)


def _head(table: Table) -> str:
    return " & ".join(escaped(column.title) for column in table.columns) + r" \\"


def _rows(table: Table) -> Iterator[str]:
    for row in table.rows:
        yield " & ".join(_cell(cell) for cell in row) + r" \\"


def _cell(cell: Cell) -> str:
    interval = printed_interval(cell)
    if isinstance(interval, tuple):
        # Braces: after a line break an opening bracket would be taken for its length.
        return rf"{escaped(printed(cell))} {{[{', '.join(escaped(bound) for bound in interval)}]}}"
    return escaped(f"{printed(cell)} {interval}".strip())


def _notes(table: Table) -> Iterator[str]:
    return (escaped(note) for note in (*table.notes, *table.reasons()))
