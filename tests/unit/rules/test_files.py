"""Which files are rule files, and what becomes of those that are none, or change while they are read."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from remediator.reading import files as reading
from remediator.reading.problems import InputError
from remediator.rules import files
from remediator.rules.files import gather, listed
from tests.unit.rules.given import load, minimal, rule_file


def names(*paths: Path) -> list[str]:
    found, problems = listed(paths)
    assert not problems
    return [file.name for file in found]


A_DIRECTORY = "cannot be read: it is a directory, not a file"


# ---- the order


def test_paths_in_their_order_and_files_by_their_names(tmp_path: Path) -> None:
    for folder, file in [("b", "z.yml"), ("b", "Y.yml"), ("b", "10.yml"), ("b", "9.yml"), ("a", "x.yaml")]:
        (tmp_path / folder).mkdir(exist_ok=True)
        rule_file(tmp_path / folder, minimal(file), name=file)
    assert names(tmp_path / "b", tmp_path / "a") == ["10.yml", "9.yml", "Y.yml", "z.yml", "x.yaml"]
    assert names(tmp_path / "b" / "z.yml", tmp_path / "b")[0] == "z.yml"


def test_of_a_git_checkout_only_what_is_in_it_counts(tmp_path: Path) -> None:
    for folder in (".git", ".github/workflows", "apps/.cache", "apps"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        rule_file(tmp_path / folder, minimal(folder), name="r.yml")
    rule_file(tmp_path / "apps", minimal("test"), name="r.test.yaml")
    found, problems = listed([tmp_path / "**" / "*.yml"])
    assert (found, problems) == ([tmp_path / "apps" / "r.yml"], [])


def test_a_hidden_directory_that_is_named_counts(tmp_path: Path) -> None:
    (tmp_path / ".rules").mkdir()
    rule_file(tmp_path / ".rules", minimal(), name="r.yml")
    assert names(tmp_path / ".rules") == names(tmp_path / ".rules" / "*.yml") == ["r.yml"]


# ---- what is no file


def fifo(path: Path) -> None:
    os.mkfifo(path)


def directory(path: Path) -> None:
    path.mkdir()


def broken(path: Path) -> None:
    path.symlink_to("gone.yml")


def circle(path: Path) -> None:
    path.symlink_to(path.name)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        here = Path.cwd()
        os.chdir(path.parent)  # the path of a socket must be short
        try:
            one.bind(path.name)
        finally:
            os.chdir(here)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (fifo, "it is a named pipe, not a file"),
        (directory, "it is a directory, not a file"),
        (device, "it is a device, not a file"),
        (listening, "it is a socket, not a file"),
        (broken, "it is a link to gone.yml, which does not exist"),
        (circle, "too many levels of symbolic links"),
    ],
)
@pytest.mark.parametrize("by", ["directory", "name"])
def test_what_is_no_file_is_told_and_nothing_waits_for_it(
    tmp_path: Path, make: Callable[[Path], None], message: str, by: str
) -> None:
    rule_file(tmp_path, minimal())
    odd = tmp_path / "odd.yml"
    make(odd)
    if by == "name" and make is directory:
        return  # as a path it is a directory like any other
    with pytest.raises(InputError) as caught:
        load(tmp_path if by == "directory" else odd)
    assert str(caught.value) == f"{odd}: cannot be read: {message}"


def test_tests_of_rules_that_are_named_as_rules_are_refused(tmp_path: Path) -> None:
    file = rule_file(tmp_path, minimal(), name="r.test.yml")
    with pytest.raises(InputError) as caught:
        load(file)
    assert str(caught.value) == (
        f"{file}: cannot be read: it holds tests of rules, by its name; `remediator test` runs them"
    )


def test_a_directory_that_may_not_be_read_is_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)  # the tests may run as root, whom nothing is refused
    with pytest.raises(InputError) as caught:
        load(tmp_path)
    assert str(caught.value) == f"{tmp_path}: cannot be read: permission denied"


# ---- what changes while it is read


@pytest.fixture
def during(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Have something happen each time that a file has been read."""

    def happen(what: Callable[[], None]) -> None:
        def read(path: Path, limit: int, *, told_as: Path) -> bytes:
            data = reading.read_bytes(path, limit, told_as=told_as)
            what()
            return data

        monkeypatch.setattr(files, "read_bytes", read)

    return happen


def version(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    for file in ("a.yml", "b.yml"):
        (made / file).write_text(f"{name} {file}")
    return made


def test_links_that_are_swapped_meanwhile_give_all_of_the_new_files(
    tmp_path: Path, during: Callable[[Callable[[], None]], None]
) -> None:
    version(tmp_path, "v1")
    version(tmp_path, "v2")
    (tmp_path / "now").symlink_to("v1")

    def swap() -> None:
        if (tmp_path / "now").readlink() == Path("v1"):
            (tmp_path / "new").symlink_to("v2")
            (tmp_path / "new").rename(tmp_path / "now")

    during(swap)
    assert [content.data for content in gather([tmp_path / "now"]).files] == [b"v2 a.yml", b"v2 b.yml"]


def test_links_that_are_swapped_to_and_fro_part_no_files(
    tmp_path: Path, during: Callable[[Callable[[], None]], None]
) -> None:
    version(tmp_path, "v1")
    version(tmp_path, "v2")
    (tmp_path / "now").symlink_to("v1")

    def swap() -> None:
        other = {"v1": "v2", "v2": "v1"}[(tmp_path / "now").readlink().name]
        (tmp_path / "new").symlink_to(other)
        (tmp_path / "new").rename(tmp_path / "now")

    during(swap)  # after the second file it is as it was before the first one
    found = gather([tmp_path / "now"]).files
    assert [content.data for content in found] == [b"v1 a.yml", b"v1 b.yml"]
    assert [content.path for content in found] == [tmp_path / "now" / "a.yml", tmp_path / "now" / "b.yml"]


@pytest.mark.parametrize("how", ["rewritten", "removed", "added", "replaced by a directory"])
def test_a_file_that_changes_meanwhile_is_read_as_it_is_then(
    tmp_path: Path, during: Callable[[Callable[[], None]], None], how: str
) -> None:
    folder = version(tmp_path, "v")
    times: list[int] = []

    def change() -> None:
        times.append(1)
        if len(times) > 1:
            return
        file = folder / "a.yml"
        if how == "rewritten":
            file.write_text("new a.yml")
        elif how == "added":
            (folder / "0.yml").write_text("0")
        else:
            file.unlink()
            if how != "removed":
                file.mkdir()

    during(change)
    found = gather([folder])
    rest = b"v b.yml"
    expected = {"rewritten": [b"new a.yml", rest], "added": [b"0", b"v a.yml", rest]}.get(how, [rest])
    assert [content.data for content in found.files if not content.problems] == expected
    told = [str(problem) for content in found.files for problem in content.problems]
    assert told == ([f"{folder / 'a.yml'}: {A_DIRECTORY}"] if how == "replaced by a directory" else [])


def test_files_that_never_stop_changing_are_refused(
    tmp_path: Path, during: Callable[[Callable[[], None]], None]
) -> None:
    folder = version(tmp_path, "v")
    times: list[int] = []

    def change() -> None:
        times.append(1)
        (folder / "a.yml").write_text("x" * len(times))

    during(change)
    with pytest.raises(InputError) as caught:
        gather([folder])
    assert str(caught.value).startswith(f"{folder}: changes all the time while it is read; write new files ")


def test_rules_know_the_files_that_they_were_read_from(tmp_path: Path) -> None:
    rule_file(tmp_path, minimal("a"), minimal("b"), name="a.yml")
    (tmp_path / "c.yml").write_text("groups: []\n")
    told = [(Path(source.file).name, source.sha256[:12], source.rules) for source in load(tmp_path).files]
    assert told == [("a.yml", told[0][1], 2), ("c.yml", "761adf8d97e1", 0)]
