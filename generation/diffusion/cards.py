"""Model cards: what a weights file is, how it was made and how good it is, as Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Fact = str | float | int


@dataclass(frozen=True)
class CardTable:
    """A table of measurements: its caption, its head and its rows."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """The table under its caption."""
        return f"## {self.caption}\n\n{_table(self.head, self.rows)}"


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """A card: its title, what the model is for, the command that made it, facts and measurements."""

    title: str
    summary: str
    command: str
    facts: Mapping[str, Fact]
    tables: Sequence[CardTable] = field(default=())

    def markdown(self) -> str:
        """The card as a Markdown page."""
        parts = [f"# {self.title}", self.summary, "## How it was made", f"```\n{self.command}\n```"]
        parts.append(_table(("fact", "value"), [(name, str(value)) for name, value in self.facts.items()]))
        parts += [table.markdown() for table in self.tables]
        return "\n\n".join(parts) + "\n"


def percent(share: float) -> str:
    """A share as a percentage with one decimal."""
    return f"{100 * share:.1f} %"


def level_table(caption: str, columns: Mapping[str, Mapping[int, float]]) -> CardTable:
    """Accuracies by noise level t, one column per way of measuring."""
    levels = sorted({level for shares in columns.values() for level in shares})
    rows = [
        [str(level), *(percent(shares[level]) if level in shares else "" for shares in columns.values())]
        for level in levels
    ]
    return CardTable(caption, ["t", *columns], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
