"""Sealing: what was sealed comes back whole, and what was changed, cut, swapped or sealed by another does not."""

import base64
import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from engine.core.errors import ConfigError, StorageError
from engine.flow import parquet
from engine.flow.frames import AT
from engine.flow.raw import Frame, Meta, Segment, frames
from engine.flow.seal import CHUNK, PLAIN, Seal, new_key, read_key
from engine.flow.sort import Sorter

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
TEXT = base64.b64encode(KEY).decode()
SECRET = "Ada Lovelace"
ROWS = pl.DataFrame({"id": range(300), "name": [f"{SECRET} {n}" for n in range(300)], "of": [{"a": [1]}] * 300})
PAGES = [Frame(Meta(n, "GET /people", "f", 0.0, cursor={"after": SECRET}), f'["{SECRET}"]'.encode()) for n in range(3)]


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        yield Path(folder)


def _packed(seal: Seal, place: Path, content: bytes) -> bytes:
    return b"".join(seal.pack([content], place))


def _unpacked(seal: Seal, place: Path, kept: bytes) -> bytes:
    return b"".join(seal.unpack(io.BytesIO(kept), place))


def _segment(path: Path, seal: Seal) -> bytes:
    path.unlink(missing_ok=True)
    segment = Segment(path, seal)
    for page in PAGES:
        segment.append(page.meta, page.body)
    segment.close()
    return path.read_bytes()


def _part(path: Path, seal: Seal) -> bytes:
    parquet.write(ROWS, path, seal)
    return path.read_bytes()


def _changed(kept: bytes, at: int, bit: int) -> bytes:
    at %= len(kept)
    return kept[:at] + bytes([kept[at] ^ 1 << bit]) + kept[at + 1 :]


# --- files


@given(pieces=some.lists(some.binary(max_size=50), max_size=5), many=some.integers(0, 3), more=some.integers(-1, 1))
def test_a_file_comes_back_whole(pieces: list[bytes], many: int, more: int) -> None:
    seal, place = Seal(KEY, Path("/s")), Path("/s/reports/a.csv.enc")
    content = [*pieces, bytes(max(0, many * CHUNK + more))]
    assert b"".join(content) == _unpacked(seal, place, b"".join(seal.pack(content, place)))


@given(at=some.integers(0), bit=some.integers(0, 7))
def test_a_file_with_one_bit_changed_does_not_open(at: int, bit: int) -> None:
    seal, place = Seal(KEY, Path("/s")), Path("/s/a")
    with pytest.raises(StorageError):
        _unpacked(seal, place, _changed(_packed(seal, place, b"content" * 20), at, bit))


@given(at=some.integers(0))
@settings(max_examples=2 * settings().max_examples)
def test_a_file_that_is_cut_short_does_not_open(at: int) -> None:
    seal, place = Seal(KEY, Path("/s")), Path("/s/a")
    kept = _packed(seal, place, bytes(CHUNK + 9))
    with pytest.raises(StorageError):
        _unpacked(seal, place, kept[: at % len(kept)])


def test_a_file_cut_between_its_chunks_does_not_open() -> None:
    seal, place = Seal(KEY, Path("/s")), Path("/s/a")
    kept = _packed(seal, place, bytes(2 * CHUNK))
    with pytest.raises(StorageError):
        _unpacked(seal, place, kept[: -(CHUNK + 16)])


def test_a_file_whose_chunks_were_swapped_does_not_open() -> None:
    seal, place = Seal(KEY, Path("/s")), Path("/s/a")
    kept, whole = _packed(seal, place, bytes(3 * CHUNK)), CHUNK + 16
    head = len(kept) - 3 * whole
    first, second, rest = kept[head : head + whole], kept[head + whole : head + 2 * whole], kept[head + 2 * whole :]
    with pytest.raises(StorageError):
        _unpacked(seal, place, kept[:head] + second + first + rest)


def test_two_files_of_one_content_have_no_chunk_in_common() -> None:
    seal, place = Seal(KEY, Path("/s")), Path("/s/a")
    one, two = (_packed(seal, place, b"x" * 64) for _ in range(2))
    assert one[-80:] != two[-80:]


OPENERS: dict[str, tuple[Callable[[Path, Seal], object], Callable[[Path, Seal], object]]] = {
    "file": (lambda path, seal: seal.write(path, SECRET.encode()), lambda path, seal: seal.read(path)),
    "segment": (_segment, lambda path, seal: list(frames(path, seal))),
    "parquet": (_part, lambda path, seal: parquet.read(path, seal)),
}


@pytest.mark.parametrize("kind", OPENERS)
def test_another_key_opens_nothing(root: Path, kind: str) -> None:
    write, read = OPENERS[kind]
    write(root / kind, Seal(KEY, root))
    with pytest.raises(StorageError, match="was not written with this key for this place, or is damaged"):
        read(root / kind, Seal(OTHER, root))


@pytest.mark.parametrize("kind", OPENERS)
def test_without_a_key_what_is_sealed_says_so(root: Path, kind: str) -> None:
    write, read = OPENERS[kind]
    write(root / kind, Seal(KEY, root))
    with pytest.raises(StorageError, match="is encrypted, and no key is set"):
        read(root / kind, PLAIN)


@pytest.mark.parametrize("kind", OPENERS)
def test_with_a_key_what_is_not_sealed_is_refused(root: Path, kind: str) -> None:
    write, read = OPENERS[kind]
    write(root / kind, PLAIN)
    with pytest.raises(StorageError, match="was not written with this key"):
        read(root / kind, Seal(KEY, root))


@pytest.mark.parametrize("kind", OPENERS)
def test_a_file_put_in_the_place_of_another_is_refused(root: Path, kind: str) -> None:
    write, read = OPENERS[kind]
    write(root / kind, Seal(KEY, root))
    (root / "elsewhere").write_bytes((root / kind).read_bytes())
    with pytest.raises(StorageError, match="for this place"):
        read(root / "elsewhere", Seal(KEY, root))


@pytest.mark.parametrize("kind", OPENERS)
def test_a_storage_that_was_moved_whole_is_read(tmp_path: Path, kind: str) -> None:
    write, read = OPENERS[kind]
    (tmp_path / "one").mkdir()
    write(tmp_path / "one" / kind, Seal(KEY, tmp_path / "one"))
    (tmp_path / "one").rename(tmp_path / "two")
    read(tmp_path / "two" / kind, Seal(KEY, tmp_path / "two"))


@pytest.mark.parametrize("kind", OPENERS)
def test_nothing_of_its_content_can_be_read(root: Path, kind: str) -> None:
    write, _ = OPENERS[kind]
    write(root / kind, Seal(KEY, root))
    assert SECRET.encode() not in (root / kind).read_bytes()


# --- segments


@given(at=some.integers(0), bit=some.integers(0, 7))
@settings(max_examples=3 * settings().max_examples)
def test_a_segment_with_one_bit_changed_gives_no_wrong_page(root: Path, at: int, bit: int) -> None:
    path, seal = root / "bit.1.seg", Seal(KEY, root)
    path.write_bytes(_changed(_segment(path, seal), at, bit))
    found: list[Frame] = []
    with suppress(StorageError):
        found += frames(path, seal)
    assert PAGES[: len(found)] == found


@given(at=some.integers(0))
@settings(max_examples=3 * settings().max_examples)
def test_a_segment_that_is_torn_gives_its_whole_pages(root: Path, at: int) -> None:
    path, seal = root / "torn.1.seg", Seal(KEY, root)
    kept = _segment(path, seal)
    at %= len(kept)
    path.write_bytes(kept[:at])
    found = list(frames(path, seal))
    assert (PAGES[: len(found)], True) == (found, len(found) < 3)


def test_frames_that_changed_places_are_refused(root: Path) -> None:
    path, seal = root / "places.1.seg", Seal(KEY, root)
    kept = _segment(path, seal)
    size = (len(kept) - (head := kept.index(b"ES01"))) // 3
    path.write_bytes(kept[:head] + kept[head + size : head + 2 * size] + kept[head : head + size] + kept[-size:])
    with pytest.raises(StorageError):
        list(frames(path, seal))


def test_a_segment_goes_on_where_it_was_closed(root: Path) -> None:
    path, seal = root / "on.1.seg", Seal(KEY, root)
    _segment(path, seal)
    segment = Segment(path, seal)
    segment.append(PAGES[0].meta, PAGES[0].body)
    segment.close()
    assert [*PAGES, PAGES[0]] == list(frames(path, seal))


def test_nothing_is_added_to_a_segment_without_its_head(root: Path) -> None:
    (root / "headless.1.seg").write_bytes(_segment(root / "headless.1.seg", Seal(KEY, root))[:20])
    with pytest.raises(StorageError):
        Segment(root / "headless.1.seg", Seal(KEY, root))


def test_a_segment_of_which_a_power_cut_left_zeros_is_empty(root: Path) -> None:
    (root / "zeros.1.seg").write_bytes(bytes(4096))
    assert [] == list(frames(root / "zeros.1.seg", Seal(KEY, root)))


# --- Parquet


@given(at=some.integers(0), bit=some.integers(0, 7))
@settings(max_examples=3 * settings().max_examples)
def test_a_part_with_one_bit_changed_gives_no_wrong_row(root: Path, at: int, bit: int) -> None:
    path, seal = root / "bit.parquet", Seal(KEY, root)
    path.write_bytes(_changed(_part(path, seal), at, bit))
    with suppress(StorageError, pl.exceptions.ComputeError):
        assert ROWS.equals(parquet.read(path, seal))


@given(at=some.integers(0))
def test_a_part_that_is_cut_short_does_not_open(root: Path, at: int) -> None:
    path, seal = root / "cut.parquet", Seal(KEY, root)
    kept = _part(path, seal)
    path.write_bytes(kept[: at % len(kept)])
    with pytest.raises(StorageError):
        parquet.read(path, seal)


def test_many_parts_are_one_table(root: Path) -> None:
    seal, paths = Seal(KEY, root), [root / f"part-{n}.parquet" for n in range(3)]
    for path in paths:
        parquet.write(ROWS, path, seal)
    found = parquet.scan(paths, seal).filter(pl.col("id") >= 298).select("name").collect()
    assert [f"{SECRET} 298", f"{SECRET} 299"] * 3 == found["name"].to_list()


# --- texts of the ledger


@given(text=some.text(), about=some.text(max_size=20))
def test_a_text_comes_back(text: str, about: str) -> None:
    seal = Seal(KEY)
    assert text == seal.plain(seal.text(text, about), about)


@given(at=some.integers(0), put=some.sampled_from("abcXYZ019+/"))
def test_a_text_with_one_letter_changed_does_not_open(at: int, put: str) -> None:
    seal = Seal(KEY)
    kept = seal.text(SECRET * 2, "kept/a")
    at %= len(kept) - 2  # the last letters of base64 hold bits that mean nothing
    with pytest.raises(StorageError):
        seal.plain(kept[:at] + (put if kept[at] != put else "-") + kept[at + 1 :], "kept/a")


def test_a_text_is_sealed_to_the_same_only_where_that_is_asked() -> None:
    seal = Seal(KEY)
    one, other = (seal.text(SECRET, "a", same=True) for _ in range(2))
    assert (one, SECRET) == (other, seal.plain(one, "a"))
    assert 5 == len({one, seal.text(SECRET, "b", same=True), seal.text(TEXT, "a", same=True), *_twice(seal)})


def _twice(seal: Seal) -> list[str]:
    return [seal.text(SECRET, "a") for _ in range(2)]


def test_a_text_opens_for_nothing_else() -> None:
    seal = Seal(KEY)
    with pytest.raises(StorageError):
        seal.plain(seal.text(SECRET, "kept/a"), "kept/b")


def test_without_a_key_a_text_stays_what_it_is() -> None:
    assert (SECRET, SECRET) == (PLAIN.text(SECRET), PLAIN.plain(SECRET))


def test_without_a_key_a_sealed_text_says_so() -> None:
    with pytest.raises(StorageError, match="no key is set"):
        PLAIN.plain(Seal(KEY).text(SECRET))


# --- keys


@pytest.mark.parametrize("text", [KEY.hex(), KEY.hex().upper(), TEXT, TEXT.rstrip("="), f" {TEXT}\n", "_-" + TEXT[2:]])
def test_a_key_is_base64_or_hex(text: str) -> None:
    assert 32 == len(read_key(text))


@pytest.mark.parametrize(
    "text", ["correct horse battery staple", "00" * 32, KEY.hex()[:-1], "é" * 44, "A" * 44, TEXT + "AAAA", "-"]
)
def test_what_is_no_random_key_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="no passphrase"):
        read_key(text)


def test_a_key_is_never_shown() -> None:
    assert [] == [text for text in (KEY.hex(), repr(KEY), TEXT) if text in repr(Seal(KEY))]


def test_the_check_tells_keys_apart() -> None:
    assert Seal(KEY).check == Seal(KEY).check != Seal(OTHER).check


def test_every_new_key_is_another() -> None:
    assert 2 == len({new_key(), new_key()})


# --- the rows of a run that is going on


def test_sorted_runs_are_sealed_and_merged_as_they_are_without_a_key(root: Path) -> None:
    merged = {}
    for name, seal in {"plain": PLAIN, "sealed": Seal(KEY, root)}.items():
        sorter = Sorter(root / name, ["name"], run_rows=50, sample_rows=5, range_rows=40, seal=seal)
        rows = ROWS.drop("of").with_columns(pl.col("id").cast(pl.UInt64).alias(AT))
        for batch in rows.iter_slices(30):
            sorter.add(batch)
        merged[name] = pl.concat(sorter.merged())
    assert merged["plain"].equals(merged["sealed"])
    assert {b"PARE"} == {path.read_bytes()[:4] for path in (root / "sealed").iterdir()}
