import re
import subprocess
from pathlib import Path

import pytest

from analysis import Report
from analysis.files.citations import bibtex
from analysis.files.latex import escaped, latex_file, latex_table
from analysis.files.methods_paragraph import methods_latex, references_of
from analysis.files.sections import tables_of
from tests.analysis.files.reports import WITH_A_REPORT, degenerate, four_arms, planned, strange_names, table_2

TOO_WIDE = re.compile(r"Overfull \\hbox \(([\d.]+)pt too wide\)")


def compiled(body: str, folder: Path) -> str:
    """Compile a document with that body; the log of pdflatex."""
    preamble = r"\documentclass{article}\usepackage{booktabs,longtable,graphicx}"
    (folder / "paper.tex").write_text(
        "\n".join((preamble, r"\begin{document}", body, r"\end{document}")), encoding="utf-8"
    )
    command = ("pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex")
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=120)
    log = (folder / "paper.log").read_text(encoding="utf-8", errors="replace")
    assert done.returncode == 0, log[-2000:]
    return log


@pytest.mark.parametrize("report", [table_2, four_arms, planned, strange_names], ids=lambda made: made.__name__)
def test_every_table_compiles_and_fits_between_the_margins(report: object, tmp_path: Path) -> None:
    made = report()
    log = compiled(latex_file(tables_of(made)), tmp_path)
    assert max((float(points) for points in TOO_WIDE.findall(log)), default=0) < 12
    assert "Missing character" not in log


def test_tables_with_missing_figures_compile(tmp_path: Path) -> None:
    compiled("\n".join(latex_file(tables_of(degenerate(name))) for name in WITH_A_REPORT), tmp_path)


def test_the_methods_paragraph_and_its_references_compile(tmp_path: Path) -> None:
    (tmp_path / "references.bib").write_text(bibtex(references_of(table_2())), encoding="utf-8")
    body = methods_latex(table_2()) + r"\nocite{*}\bibliographystyle{plain}\bibliography{references}"
    compiled(body, tmp_path)
    made = subprocess.run(("bibtex", "paper"), cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert made.returncode == 0, made.stdout
    assert "Warning" not in made.stdout, made.stdout
    compiled(body, tmp_path)
    assert "undefined" not in compiled(body, tmp_path)


def test_the_threshold_table_says_what_the_page_says() -> None:
    table = next(table for table in tables_of(table_2()) if table.name == "threshold_table")
    line = r"\textgreater{} 60 \% & 51.0~\% {[44.1, 57.8]} & 20.5~\% {[15.5, 26.6]} & 28.5~\% {[22.7, 35.1]} \\"
    assert line in latex_table(table)


def names(report: Report) -> set[str]:
    return set(re.findall(r"^% ([a-z_.]+)", latex_file(tables_of(report)), flags=re.MULTILINE))


def test_each_table_of_a_report_is_there() -> None:
    assert {
        "threshold_table",
        "shares",
        "tests",
        "leaderboard",
        "leaderboard.contrasts",
        "leaderboard.win_matrix",
        "bradley_terry.pairwise",
        "agreement",
        "screening",
        "position",
        "times",
    } <= names(four_arms())


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("50%_a", r"50\%\_a"),
        ("b\\c", r"b\textbackslash{}c"),
        ("naïve", r"na\"{i}ve"),
        ("Łódź", r"\L{}\'{o}d\'{z}"),
        ("β=2", r"$\beta$=2"),
        ("a--b", "a-{}-b"),
        ("鲁", r"\unicodeletter{鲁}{9C81}"),
        ("e\N{COMBINING ACUTE ACCENT}", r"\'{e}"),
        ("a\nb\tc", "a b c"),
    ],
)
def test_any_text_becomes_latex_that_prints_it(text: str, latex: str) -> None:
    assert escaped(text) == latex


def test_the_macro_for_other_letters_is_there_only_where_it_is_used() -> None:
    assert r"\providecommand{\unicodeletter}" in latex_file(tables_of(strange_names()))
    assert "unicodeletter" not in latex_file(tables_of(table_2()))
