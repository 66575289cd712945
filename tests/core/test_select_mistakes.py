"""What beginners write in JMESPath: each answered with its place, what is wrong and how to mend it."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import Mistake
from engine.core.select import Jmes, compile


@pytest.mark.parametrize(
    ("text", "offset", "message", "fix"),
    [
        ("", 0, "the expression is empty", "write the path"),
        ("  ", 0, "the expression is empty", "write the path"),
        ('a[?b=="x"]', 6, '"x" in double quotes is the field of that name', "write 'x' for the text, or @.\"x\""),
        ('contains(a, "x")', 12, '"x" in double quotes is the field of that name', "write 'x'"),
        ("a.created-at == 'x'", 2, "the name created-at needs quotes of its own", 'write "created-at"'),
        ("42crunch.id", 0, "the name 42crunch needs quotes of its own", 'write "42crunch"'),
        ("a[?b=='x'", 1, '"[" is not closed', 'write "]"'),
        ("length(a", 6, '"(" is not closed', 'write ")"'),
        ("a)", 1, '")" closes nothing', "leave it out"),
        ("lenght(a)", 0, 'no function is called lenght(); did you mean "length"?', ""),
        ("a || zzz(a)", 5, "no function is called zzz(); there are abs,", ""),
        ("length(a, b)", 0, "length() takes 1 argument, 2 given", ""),
        ("a = 'x'", 2, 'one "=" compares nothing', "write =="),
        ("a[b=='x']", 2, "a filter starts with [?", "write [?status=='open']"),
        ("a == 5", 5, "5 is no literal here", "write a number between backticks: `5`"),
        ("5.5 < a", 0, "5.5 is no literal here", "write a number between backticks: `5.5`"),
        ("a || 0", 5, "0 is no literal here", "write a number between backticks: `0`"),
        ("a[?true != b]", 3, "true without backticks is the field of that name", "or @.true for the field"),
        ("a || false", 5, "false without backticks is the field of that name", "write `false` with its backticks"),
        ("a[?b=='x' and c=='y']", 10, '"and" is not a word', "write &&"),
        ("a or b", 2, '"or" is not a word', "write ||"),
        ("not a", 0, '"not" is not a word', "write !"),
        ("$.a", 0, '"$" is JSONPath', "leave it out"),
        ("${param.x}.a", 0, "a template cannot stand inside JMESPath", "write the path out"),
        ("a[?b=='x].c", 6, "the quote ' is not closed", "close it"),
        ("a.", 1, "a name is missing behind the dot", "write the name"),
        ("a..b", 1, "a name is missing behind the dot", "write the name"),
        ("a.[0]", 1, "a dot does not stand before this bracket", "items[0]"),
        ("a == `[1`", 5, "`[1` is no JSON", "single quotes"),
        ("first name", 6, '"name" cannot stand here', "double quotes"),
        ("a ||", 4, "the expression ends too early", "write what belongs"),
        ("&a", 0, "& stands only before an argument", "sort_by(items, &name)"),
        ("a[::0]", 0, "a slice cannot go in steps of 0", "leave the step out"),
        ("[" * 5000, 0, "the expression is nested too deeply", "split it up"),
    ],
)
def test_a_mistake_is_explained(text: str, offset: int, message: str, fix: str) -> None:
    with pytest.raises(Mistake) as caught:
        Jmes.check(text)
    mistake = caught.value
    assert ("jmespath", offset) == (mistake.code, mistake.offset)
    assert message in mistake.message
    assert fix in mistake.fix


@pytest.mark.parametrize(
    "text",
    [
        """a[?"x-y"=='b']""",
        """'x'=="x-y\"""",
        """a == @."x-y\"""",
        "a[?b=='x and = y']",
        "a[?b=='it\\'s']",
        "sort_by(a, &b)",
        "a[?b==`x`]",
        "a[::-1]",
    ],
)
def test_what_only_looks_like_a_mistake_passes(text: str) -> None:
    assert text == Jmes.read(text)


PIECES = [
    "a",
    "b-c",
    "[",
    "]",
    "[?",
    "*",
    ".",
    "|",
    "&",
    "!",
    "==",
    "<",
    "(",
    ")",
    "{",
    "}",
    ":",
    ",",
    "'",
    '"',
    "`",
    "0",
    "-",
    "$",
]


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_every_text_is_read_or_explained(text: str) -> None:
    with contextlib.suppress(Mistake):  # what else is raised fails the test
        compile(text)
