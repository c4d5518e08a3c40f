"""Seals bind all chains together, in the database and in a file that can be copied elsewhere."""

# ruff: noqa: ASYNC240 - the files of a test are small, and nothing else runs

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from remediator.store import Store, StoreError
from remediator.store.seal import Seal, SealFile, digest_of, read_seals
from tests.unit.store.given import event, saving

if TYPE_CHECKING:
    from tests.unit.still_clock import StillClock


async def in_database(store: Store) -> list[Seal]:
    return await store.read(lambda reader: list(read_seals(reader._connection)))


async def write(store: Store, number: int = 1) -> None:
    for _ in range(number):
        await store.write(saving(event(incident_id=1), event()))


async def test_a_seal_is_over_the_events_since_the_last(store: Store) -> None:
    await write(store, 2)
    await store.seal()
    await write(store)
    await store.seal()
    hashes = [told.hash for told in await store.read(lambda reader: reader.list_events())]
    first, second = await in_database(store)
    assert (first.number, first.last_seq, first.digest) == (1, 4, digest_of(hashes[:4]))
    assert (second.number, second.last_seq, second.digest) == (2, 6, digest_of(hashes[4:]))
    assert second == Seal.make(first, second.at, 6, second.digest)


async def test_nothing_new_needs_no_seal(store: Store) -> None:
    await store.seal()
    assert await in_database(store) == []
    await write(store)
    await store.seal()
    await store.seal()
    assert len(await in_database(store)) == 1


async def test_the_file_has_a_line_for_each_seal(filed: Store, path: str) -> None:
    for _ in range(3):
        await write(filed)
        await filed.seal()
    lines = Path(f"{path}.seals").read_text().splitlines()
    assert [json.loads(line)["number"] for line in lines] == [1, 2, 3]
    assert list(SealFile(path).read()) == await in_database(filed)


def test_a_hash_can_be_taken_by_hand() -> None:
    # What docs tell of seals, in other words than the code's.
    seal = Seal.make(None, "2026-03-01T12:00:00.000000Z", 4, "d" * 64)
    text = '{"at":"2026-03-01T12:00:00.000000Z","digest":"' + "d" * 64 + '","last_seq":4,"number":1}'
    assert seal.hash == hashlib.sha256(("0" * 64 + "\n" + text).encode()).hexdigest()


async def test_a_store_that_closes_is_sealed(path: str, clock: StillClock) -> None:
    store = Store.open(path, clock)
    await write(store)
    await store.close()
    (seal,) = SealFile(path).read()
    assert seal.last_seq == 2


@pytest.mark.parametrize("left", [0, 10, -1], ids=["nothing", "half a line", "all but the line's end"])
async def test_what_a_crash_kept_from_the_file_is_there_after_a_start(
    path: str, clock: StillClock, left: int
) -> None:
    store = Store.open(path, clock)
    for _ in range(2):
        await write(store)
        await store.seal()
    await store.close()
    whole = Path(f"{path}.seals").read_bytes()
    first, second = whole.splitlines(keepends=True)
    Path(f"{path}.seals").write_bytes(first + second[:left])
    store = Store.open(path, clock)
    assert Path(f"{path}.seals").read_bytes() == whole
    await store.close()


async def test_a_file_that_cannot_be_written_is_told_and_caught_up_later(filed: Store, path: str) -> None:
    file = Path(f"{path}.seals")
    await write(filed)
    await filed.seal()
    file.rename(f"{path}.moved")
    file.mkdir()
    await write(filed)
    with pytest.raises(StoreError, match=r"seals .*remediator\.db\.seals.*when that is mended"):
        await filed.seal()
    file.rmdir()
    Path(f"{path}.moved").rename(file)
    await filed.seal()
    assert [seal.number for seal in SealFile(path).read()] == [1, 2]


async def test_a_file_that_somebody_wrote_into_is_not_written_over(filed: Store, path: str) -> None:
    file = Path(f"{path}.seals")
    file.write_text("a note of mine\n")
    await write(filed)
    with pytest.raises(StoreError, match="not a seal: b'a note of mine'"):
        await filed.seal()
    assert file.read_text() == "a note of mine\n"
    file.unlink()
    await filed.seal()
    assert len(list(SealFile(path).read())) == 1
