"""A page keeps the place of everything, and each trap of YAML is named with its mend."""

from __future__ import annotations

import copy
import time
from dataclasses import replace
from pathlib import Path

import pytest

from engine.core.errors import Finding, SpecError
from engine.spec.yamlfile import SourceFloat, SourceInt, merge, parse, plain, read


def findings(text: str) -> list[Finding]:
    with pytest.raises(SpecError) as caught:
        parse(text, "p.yaml")
    return list(caught.value.findings)


def places(text: str) -> list[str]:
    return [str(found.mark) for found in findings(text)]


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("True", "True"),
        ("2026-01-01", "2026-01-01"),
        ("12:30:00", "12:30:00"),
        ("1_000", "1_000"),
        ("=", "="),
        ("1.10", "'1.10'"),
        (True, "true"),
        (None, "null"),
        (None, "~"),
        (None, ""),
        (8, "08"),
        (-3, "-3"),
        (31, "0x1F"),
        (15, "0o17"),
        (1.1, "1.10"),
        (1000.0, "1e3"),
        (float("-inf"), "-.inf"),
        ("a b", "a\n  b"),
        ("a\nb\n", "|\n  a\n  b"),
    ],
)
def test_a_scalar_is_read_as_yaml_1_2(expected: object, text: str) -> None:
    value = parse(f"a: {text}\n", "p").plain()["a"]
    assert expected == value
    assert type(value) in (type(expected), SourceInt, SourceFloat)


def test_not_a_number_is_a_number() -> None:
    assert "nan" == repr(float(parse("a: .nan", "p").plain()["a"]))


def test_numbers_keep_their_source_text() -> None:
    values = parse("[08, 1.10, 0x1F]", "p").plain()
    assert ["08", "1.10", "0x1F"] == [value.text for value in values]
    assert ["08", "1.10", "0x1F"] == [str(value) for value in copy.deepcopy(values)]


def test_keys_are_taken_by_their_source_text() -> None:
    assert {"1.10": 1, "true": 2, "08": 3} == parse("1.10: 1\ntrue: 2\n08: 3\n", "p").plain()


def test_keys_that_start_with_x_are_left_out_at_every_level() -> None:
    page = "x-shared: &s { b: 1 }\na: { <<: *s, x-note: 2 }\n"
    assert {"a": {"b": 1}} == parse(page, "p").plain()


def test_merge_keys_give_way_to_own_keys_and_to_earlier_ones() -> None:
    page = "m: &m { a: 1, b: 1 }\nn: &n { a: 2, c: 2 }\nk: { b: 3, <<: [*m, *n] }\n"
    assert {"a": 1, "c": 2, "b": 3} == parse(page, "p").plain()["k"]


def test_a_merged_value_keeps_its_own_place() -> None:
    assert "p:1:12" == str(parse("m: &m { a: 1 }\nk: { <<: *m }\n", "p").mark(["k", "a"]))


def test_an_empty_page_is_null() -> None:
    assert parse("# nothing\n", "p").plain() is None


def test_a_byte_order_mark_is_passed_over() -> None:
    assert "p:1:4" == str(parse("\ufeffa: b\n", "p").mark(["a"]))


def test_places_are_counted_from_one_in_characters() -> None:
    page = parse("é: { ü: [ö, x] }\r\nb:\r\n  c: y\r\n", "p")
    assert "p:1:13" == str(page.mark(["é", "ü", 1]))
    assert "p:1:6" == str(page.mark(["é", "ü"], key=True))
    assert "p:3:6" == str(page.mark(["b", "c"]))


def test_what_is_missing_has_the_place_of_what_it_is_missing_from() -> None:
    page = parse("a:\n  b: { c: 1 }\n", "p")
    assert "p:2:6" == str(page.mark(["a", "b", "missing", 3]))
    assert "p:2:3" == str(page.mark(["a", "b", "missing"], key=True))
    assert "p:1:1" == str(page.mark(["missing"]))


@pytest.mark.parametrize(
    ("expected", "page"),
    [
        ("p:1:7", "a: /x/${b}\n"),
        ("p:1:8", "a: '/x/${b}'\n"),
        ("p:1:9", "a: '/''/${b}'\n"),
        ("p:1:13", 'a: "/\\u0041/${b}"\n'),
        ("p:1:9", 'a: "/\\n/${b}"\n'),
        ("p:1:10", "a: &n /x/${b}\n"),
        ("p:2:6", "a: /x\n  y/z${b}\n"),
        ("p:2:6", "a: |\n  /x/${b}\n"),
        ("p:4:4", "a: |\n  /x\n\n   ${b}\n"),
        ("p:3:5", "a: >-  # folded\n  /x\n  y ${b}\n"),
    ],
)
def test_an_offset_leads_to_a_character_of_the_source(expected: str, page: str) -> None:
    document = parse(page, "p")
    offset = document.plain()["a"].index("${")
    assert expected == str(document.finding(["a"], "code", "message", offset=offset).mark)


def test_a_finding_shows_its_line_and_its_level() -> None:
    found = parse("a: 1\nb: two\n", "p").finding(["b"], "code", "message", "fix", level="warning")
    assert "p:2:4  warning[code]  message\n  2 | b: two\n    |    ^\n  mend: fix" == found.as_text()


def test_merge_is_deep_for_mappings_and_replaces_lists() -> None:
    base, over = parse("a: { b: 1, c: [1, 2] }\nd: 1\n", "base"), parse("a: { c: [3], e: 4 }\n", "over")
    merged = merge(base.root, over.root)
    assert {"a": {"b": 1, "c": [3], "e": 4}, "d": 1} == plain(merged)


def test_merge_keeps_the_places_of_both() -> None:
    base, over = parse("a: { b: 1 }\n", "base"), parse("a: { c: 2 }\n", "over")
    merged = replace(base, root=merge(base.root, over.root))
    assert ["base:1:9", "over:1:9"] == [str(merged.mark(["a", key])) for key in "bc"]


@pytest.mark.parametrize(
    ("place", "message", "fix", "page"),
    [
        ("2:1", "a tab stands where the indentation is", "indent with spaces", "a:\n\tb: 1\n"),
        ("2:3", "a tab stands where the indentation is", "indent with spaces", "a:\n  \tb: 1\n"),
        ("3:1", "a tab stands", "indent with spaces", "a: 1\n\n\tb: 2\n"),
        ("3:2", "this line starts at column 2, where nothing is open", "column 1 or 3", "a:\n  b: 1\n c: 2\n"),
        ("2:3", "deeper than line 1, which has its value already", "start it at column 1", "a: 1\n  b: 2\n"),
        ("2:3", "deeper than line 1", "start it at column 1", "a: 'x'\n  b: 2\n"),
        ("2:1", "a list entry stands among keys", "indent the list", "a: 1\n- b\n"),
        ("2:1", "a key stands among list entries", 'start it with "- "', "- a\nb: 1\n"),
        ("1:2", 'a space is missing after ":"', "write a: …", "a:1\nb: 2\n"),
        ("2:1", 'a space is missing after "-"', "write - b", "a: 1\n-b\n"),
        ("1:1", 'this line has no key and ":"', "write key: value", "a\nb: 1\n"),
        ("1:10", "${…} stands unquoted inside { }", 'quote this: "${api.id}"', "a: { id: ${api.id} }\n"),
        ("1:16", "${…} stands unquoted inside { }", 'quote this: "x${b}/y"', "a: { e: 1, c: x${b}/y, d: 1 }\n"),
        ("1:6", "${…} stands unquoted inside [ ]", 'quote this: "${b}"', "a: [ ${b}, c ]\n"),
        ("2:6", "${…} stands unquoted inside { }", 'quote this: "${b}"', "a: {\n  b: ${b},\n}\n"),
        ("1:13", '"[" stands unquoted inside { }', 'quote this: "page[size]"', "a: { b: page[size] }\n"),
        ("1:10", '"[" stands unquoted inside { }', 'quote this: "page[size]"', "a: { page[size]: 1 }\n"),
        ("1:14", '"[" stands unquoted inside { }', "quote this: \"items[?a=='b']\"", "a: { b: items[?a=='b'] }\n"),
        ("1:11", '"[" stands unquoted inside [ ]', 'quote this: "items[].x"', "a: [ items[].x ]\n"),
        ("1:4", 'cannot start with "@"', 'quote this: "@"', "a: @\n"),
        ("1:9", 'cannot start with "@"', 'quote this: "@"', "a: { b: @ }\n"),
        ("1:4", 'cannot start with "*"', 'quote this: "*"', "a: *\n"),
        ("1:4", 'cannot start with "*"', 'quote this: "**.curl"', "a: **.curl\n"),
        ("1:1", 'cannot start with "*"', 'quote this: "**.curl"', "**.curl: 1\n"),
        ("1:4", '"*b" stands for an anchor "&b"', 'quote this: "*b"', "a: *b\n"),
        ("1:4", 'cannot start with "%"', 'quote this: "%b"', "a: %b\n"),
        ("1:4", 'cannot start with "`"', 'quote this: "`1`"', "a: `1`\n"),
        ("1:4", 'cannot start with ">"', 'quote this: "> 5"', "a: > 5\n"),
        ("1:4", 'cannot start with ">"', 'quote this: ">5"', "a: >5\n"),
        ("1:4", 'cannot start with "|"', 'quote this: "|b"', "a: |b\n"),
        ("1:4", '"!b" is a tag to YAML', 'quote this: "!b c"', "a: !b c\n"),
        ("1:4", '"!b" is a tag to YAML', "take !b out", "a: !b\n  c: 1\n"),
        ("1:4", '"!!str" is a tag to YAML', 'quote this: "!!str 1"', "a: !!str 1\n"),
        ("1:4", '"&b" is an anchor to YAML and leaves the value empty', 'quote this: "&b"', "a: &b\n"),
        ("1:4", 'this template has ": " in it', "quote this: '${ {\"k\": 1}.k }'", 'a: ${ {"k": 1}.k }\n'),
        ("1:4", 'this value has ": " in it', 'quote this: "b: c"', "a: b: c\n"),
        ("1:4", 'this template is cut at " #"', "quote this: \"${ x ~ ' #1' }\"", "a: ${ x ~ ' #1' }\n"),
        ("1:4", "this quote is not closed", "close it with '", "a: 'b\n"),
        ("1:8", "this follows the end of a value", "a single quote is written ''", "a: 'it's'\n"),
        ("1:6", "\\d means nothing inside double quotes", "use single quotes", 'a: "b\\d"\n'),
        ("1:4", 'this "{" is not closed', 'close it with "}"', "a: { b: 1\nc: 2\n"),
        ("1:4", 'this "[" is not closed', 'close it with "]"', "a: [ 1"),
        ("1:12", '"," or "}" is missing here', 'put ","', "a: { b: c d: e }\n"),
        ("1:4", "a list cannot start on the line of its key", "start it on the next line", "a: - b\n"),
        ("1:4", 'cannot start with "}"', 'quote this: "}"', "a: }\n"),
        ("2:1", "a second document starts here", "one file is one page", "a: 1\n---\nb: 2\n"),
        ("1:5", "a character that cannot stand in a page: '\\x07'", "take it out", "a: b\x07\n"),
        ("1:1", "a key must be a text", "quote this", "{ a: b }: 1\n"),
        ("2:4", "this anchor has the name of another", "give it a name of its own", "a: &n 1\nb: &n 2\n"),
        ("1:4", "an alias stands inside what it stands for", "write it out", "a: &b [*b]\n"),
        ("1:9", '"<<" merges mappings only', "write <<: *name", "a: {<<: 1}\n"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_mend(place: str, message: str, fix: str, page: str) -> None:
    found = findings(page)
    assert [f"p.yaml:{place}"] == [str(one.mark) for one in found]
    assert "yaml" == found[0].code
    assert message in found[0].message
    assert fix in found[0].fix
    assert page.split("\n")[found[0].mark.line - 1] == found[0].source


def test_duplicate_keys_are_found_all_at_once() -> None:
    assert ["p.yaml:2:1", "p.yaml:3:12"] == places("a: 1\na: 2\nb: { c: 1, c: 2 }\n")


def test_a_duplicate_key_names_the_line_of_the_first() -> None:
    assert 'the key "a" stands here and in line 1' == findings("a: 1\na: 2\n")[0].message


def test_everything_that_quotes_would_mend_is_found_at_once() -> None:
    page = "a: { b: ${b}, c: page[size] }\nd: @e\nf: **.g\nh: [ 1\n"
    assert ["p.yaml:1:9", "p.yaml:1:22", "p.yaml:2:4", "p.yaml:3:4", "p.yaml:4:4"] == places(page)


def test_aliases_cannot_explode() -> None:
    page = "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
    for one, other in zip("abcdefgh", "bcdefghi", strict=True):
        page += f"{other}: &{other} [{','.join([f'*{one}'] * 10)}]\n"
    before = time.perf_counter()
    assert "more than 100000 values" in findings(page)[0].message
    assert time.perf_counter() - before < 0.5


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_a_page_cannot_be_nested_without_end(opening: str) -> None:
    assert "nested deeper than 100 levels" in findings(opening * 50_000)[0].message


def test_a_file_is_read_with_the_name_the_user_gave(tmp_path: Path) -> None:
    page = tmp_path / "p.yaml"
    page.write_text("a: ü\n", encoding="utf-8")
    assert ("ü", f"{page}:1:4") == (read(page).plain()["a"], str(read(page).mark(["a"])))


def test_a_file_that_is_not_utf_8_is_refused_at_its_place(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_bytes(b"a: 1\nb: \xfc\n")
    with pytest.raises(SpecError, match=r"p\.yaml:2:4 .*not UTF-8"):
        read(tmp_path / "p.yaml")


def test_a_file_that_is_not_there_is_a_mistake_of_the_page(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read: No such file"):
        read(tmp_path / "p.yaml")
