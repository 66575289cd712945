"""Link headers: what RFC 8288 allows is read, what it does not is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import Mistake
from engine.core.links import links

BASE = "https://api.example.com/v1/things?page=1"
TOKENS = st.text("abcdefgXYZ0123456789-_.!#$&*+^`|~'%", min_size=1, max_size=6)
QUOTED = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=12)
BLANKS = st.text(" \t", max_size=2)


@st.composite
def written(draw: st.DrawFn) -> tuple[str, dict[str, dict[str, str]]]:
    """A header in one of its many spellings, and what it says."""
    pieces, said = [], dict[str, dict[str, str]]()
    for number in range(draw(st.integers(1, 3))):
        relation = f"r{number}"
        about = {name: draw(QUOTED) for name in draw(st.sets(TOKENS.map(str.lower), max_size=3)) - {"rel", "anchor"}}
        words = [f"{draw(BLANKS)};{draw(BLANKS)}{name}={_quoted(value)}" for name, value in about.items()]
        words.append(f"{draw(BLANKS)};{draw(BLANKS)}REL={relation}")
        pieces.append(f"{draw(BLANKS)}</{number}?a=1,2;b>{''.join(words)}{draw(BLANKS)}")
        said[relation] = {**about, "rel": relation, "url": f"https://api.example.com/{number}?a=1,2;b"}
    return ",".join(pieces), said


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@given(written())
def test_every_link_is_read_as_it_was_written(header: tuple[str, dict[str, dict[str, str]]]) -> None:
    text, said = header
    assert said == links(text, BASE)


@given(st.text('<>;,="\\ abrel', max_size=40))
def test_what_is_no_list_of_links_is_told_and_nothing_else_goes_wrong(text: str) -> None:
    try:
        assert all("url" in link for link in links(text, BASE).values())
    except Mistake as mistake:
        assert "the header Link" in mistake.message  # noqa: PT017  # most texts are none, some are


@pytest.mark.parametrize("text", ["", " ", ",", " , ,"])
def test_an_empty_header_has_no_links(text: str) -> None:
    assert {} == links(text, BASE)


def test_a_long_header_of_nothing_is_refused_at_once() -> None:
    with pytest.raises(Mistake):
        links("<a>" + "; ;" * 20_000 + '"', BASE)
