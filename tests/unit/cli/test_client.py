"""The connection: where to, with whose token, and what is said when it fails."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from tests.unit.web.house import BOB, INGEST

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Shell


async def test_a_token_comes_from_a_file(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{BOB}\n")
    await shell.run("pause", "--reason", "x", "--token-file", str(file), token=None)
    assert (await shell.json("status"))["pause"]["by"] == "bob"


async def test_a_token_file_goes_before_the_variable(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(BOB)
    await shell.run("pause", "--reason", "x", REMEDIATOR_TOKEN_FILE=str(file))
    assert (await shell.json("status"))["pause"]["by"] == "bob"


async def test_without_a_token_it_says_how_to_give_one(shell: Shell) -> None:
    said = await shell.refused("incidents", token=None, code=2)
    assert "--token-file" in said
    assert "REMEDIATOR_TOKEN" in said


@pytest.mark.parametrize("content", [b"", b"\n", b"two tokens", b"a\nb", "t\u00f6ken".encode(), b"\xff\xfe"])
async def test_a_file_that_holds_no_token_is_not_shown(shell: Shell, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    said = await shell.refused("incidents", "--token-file", str(file), code=2)
    assert str(file) in said.replace("\n", "")
    assert "two tokens" not in said


async def test_a_token_file_that_is_missing(shell: Shell, tmp_path: Path) -> None:
    said = await shell.refused("incidents", "--token-file", str(tmp_path / "none"), code=2)
    assert "cannot be read: No such file or directory" in " ".join(said.split())


async def test_a_wrong_token_is_refused_by_the_daemon(shell: Shell) -> None:
    assert "operator's token" in await shell.refused("incidents", token="wrong")


async def test_an_ingest_token_is_refused_by_the_daemon(shell: Shell) -> None:
    assert "may only post notifications" in await shell.refused("pause", "--reason", "x", token=INGEST)


async def test_where_nobody_listens_the_code_is_another(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    said = await shell.refused("incidents", "--url", f"http://127.0.0.1:{port}", code=3)
    assert f"no daemon answers at http://127.0.0.1:{port}: Connection refused" in said


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:9098", "ftp://h", "http://", "http://h:x", "http://h:99999", "http://h/?a=b", "http://u:p@h"],
)
async def test_a_url_that_is_none_is_a_mistake_of_usage(shell: Shell, url: str) -> None:
    said = await shell.refused("incidents", "--url", url, code=2)
    assert "u:p" not in said


class Impostor:
    """Answers every request with the same bytes, and remembers what was asked."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.asked: list[bytes] = []
        self.url = ""

    async def __aenter__(self) -> Impostor:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self.answer)
        await writer.drain()
        writer.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\nnull",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut off",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
    ids=repr,
)
async def test_what_is_no_daemon_is_told_from_a_refusal(shell: Shell, answer: bytes) -> None:
    async with Impostor(answer) as impostor:
        assert impostor.url in await shell.refused("incidents", "--url", impostor.url, code=3)


async def test_a_redirect_does_not_carry_the_token_away(shell: Shell) -> None:
    async with Impostor(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as elsewhere:
        to = elsewhere.url.encode()
        moved = b"HTTP/1.1 302 Found\r\nLocation: %b/\r\nContent-Length: 0\r\n\r\n" % to
        async with Impostor(moved) as impostor:
            await shell.refused("incidents", "--url", impostor.url, code=3)
        assert elsewhere.asked == []


async def test_what_a_refusal_says_cannot_move_the_cursor(shell: Shell) -> None:
    error = b'{"error":{"code":"x","message":"\\u001b[2Jgone\\u202e"}}'
    answer = b"HTTP/1.1 409 Conflict\r\nContent-Length: %d\r\n\r\n%b" % (len(error), error)
    async with Impostor(answer) as impostor:
        said = await shell.refused("incidents", "--url", impostor.url)
    assert r"\x1b[2Jgone\u202e" in said


async def test_a_path_before_the_api_is_kept(shell: Shell) -> None:
    async with Impostor(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as impostor:
        await shell.run("incidents", "--url", f"{impostor.url}/remediator/", "-o", "json")
    assert impostor.asked[0].startswith(b"GET /remediator/api/v1/incidents?limit=50 HTTP/1.1\r\n")
