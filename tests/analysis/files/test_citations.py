import pytest

from analysis.files.citations import REFERENCES, UnknownPublication, bibtex, cited, publications, publications_of
from analysis.methods import METHODS
from analysis.planning import METHODS as PLANNING


def test_every_method_cites_publications_that_the_file_holds() -> None:
    assert len(publications_of((*METHODS.values(), *PLANNING))) > 15


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.name)
def test_each_citation_of_a_method_is_found(method: object) -> None:
    citation = method.citation
    assert len(list(cited(citation))) == citation.count("(")


def test_a_publication_that_is_not_in_the_file_is_named() -> None:
    with pytest.raises(UnknownPublication, match=r"Nobody \(1900\) is not in references.bib"):
        list(cited("Nobody (1900), Nowhere 1:1"))


def test_a_citation_names_several_publications() -> None:
    found = cited(
        "Cameron, Gelbach, Miller (2011), J. Business & Economic Statistics 29:238; Kish (1965), Survey Sampling"
    )
    assert [publication.key for publication in found] == ["cameron2011robust", "kish1965survey"]


def test_every_entry_of_the_file_is_read_and_complete() -> None:
    assert REFERENCES.read_text(encoding="utf-8").count("\n@") + 1 == len(publications())
    for publication in publications().values():
        assert publication["author"]
        assert publication["title"]
        assert publication["journal"] or publication["publisher"] or publication["institution"]
        assert publication.key.startswith(publication.surnames[0].lower().replace("-", "")[:4])
        assert publication["year"] in publication.key


def test_the_file_is_written_as_it_is_read_in_the_order_of_the_keys() -> None:
    assert bibtex(publications().values()) == REFERENCES.read_text(encoding="utf-8")


def test_a_publication_in_words_has_no_latex() -> None:
    words = publications()["cameron2011robust"].in_words()
    assert words == (
        "Cameron, A. Colin; Gelbach, Jonah B.; Miller, Douglas L. (2011). Robust inference with multiway clustering. "
        "Journal of Business & Economic Statistics 29(2):238-249."
    )
    assert not any(character in p.in_words() for p in publications().values() for character in "{}\\")
