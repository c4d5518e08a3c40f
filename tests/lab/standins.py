"""Images put together from Debian packages, for where no container registry answers.

Nothing is run in them while they are made (the packages are only unpacked), so they take seconds and need no
root. Each behaves as its public namesake as far as docker-compose.test.yml and deploy/Dockerfile use that.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from docker.errors import BuildError, ImageNotFound

from tests.lab import packages
from tests.lab.paths import LabError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from docker import DockerClient

RECIPE = 2  # raise it when what goes into the stand-ins changes
BASE = (
    "base-files",
    "busybox-static",
    "ca-certificates",
    "netbase",
    "python3",
    "python3-venv",
    "redis-server",
)
# Asked for by the packages' scripts, which do not run here; busybox covers the commands.
UNNEEDED = frozenset(
    {
        "adduser",
        "debconf",
        "dpkg",
        "init-system-helpers",
        "libaudit-common",
        "libdb5.3t64",
        "libpam-modules",
        "libpam-modules-bin",
        "libpam0g",
        "libsemanage-common",
        "libsemanage2",
        "libsepol2",
        "login.defs",
        "mawk",
        "openssl",
        "openssl-provider-legacy",
        "passwd",
        "python3-setuptools-whl",
        "tar",
    }
)


def tag(name: str) -> str:
    """The name of the stand-in for one of the public images."""
    return f"remediator-lab/{name}:{RECIPE}"


def has(client: DockerClient, name: str) -> bool:
    """Whether the engine already has this image."""
    try:
        client.images.get(name)
    except ImageNotFound:
        return False
    return True


def build(
    client: DockerClient,
    context: object,
    tag: str,
    dockerfile: str = "Dockerfile",
    buildargs: dict[str, str] | None = None,
) -> str:
    """Build and tag; layers that did not change come from the engine's own cache."""
    try:
        client.images.build(
            fileobj=context,  # type: ignore[arg-type]  # the stub knows only text files
            custom_context=True,
            dockerfile=dockerfile,
            tag=tag,
            buildargs=buildargs or {},
            rm=True,
            forcerm=True,
        )
    except BuildError as error:
        raise LabError(f"building {tag} failed: {error.msg}\n{_end(error.build_log)}") from error
    return tag


def _end(log: Iterable[object]) -> str:
    lines = [str(entry.get("stream", "")) for entry in log if isinstance(entry, dict)]
    return "".join(lines)[-3000:]


def _add_bytes(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _python(client: DockerClient, name: str) -> None:
    """Python, Redis and a shell: the stand-in for python, and what the others are built on."""
    archives = packages.closure("trixie", BASE, skip=UNNEEDED)
    # base-files goes first: it has the links from /bin and /lib into /usr that the others unpack through.
    archives.sort(key=lambda path: not path.name.startswith("base-files_"))
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as file:
        root = Path(folder)
        root.chmod(0o755)
        for archive in archives:
            packages.unpack(archive, root)
        for unread in ("doc", "man", "locale", "lintian", "info"):
            shutil.rmtree(root / "usr/share" / unread, ignore_errors=True)
        _finish_by_hand(root)
        with tarfile.open(fileobj=file, mode="w") as tar:
            tar.add(root, ".", filter=_owned_by_root)
        file.seek(0)
        repository, _, version = name.partition(":")
        client.api.import_image_from_data(
            file, repository=repository, tag=version, changes=['CMD ["python3"]']
        )


def _finish_by_hand(root: Path) -> None:
    """What the packages' scripts would have done, as far as anything here needs it."""
    (root / "etc/passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
    )
    (root / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
    (root / "tmp").mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    certificates = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    bundle = root / "etc/ssl/certs/ca-certificates.crt"
    bundle.parent.mkdir(parents=True, exist_ok=True)
    bundle.write_bytes(b"".join(file.read_bytes() for file in certificates))
    busybox = root / "usr/bin/busybox"
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout
    for applet in applets.split():
        link = root / "usr/bin" / applet
        if not link.exists() and not link.is_symlink():
            link.symlink_to("busybox")


def _owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def _prometheus(client: DockerClient, name: str) -> None:
    files = [_from("prometheus", "usr/bin/prometheus"), _from("promtool", "usr/bin/promtool")]
    entry = '"/usr/bin/prometheus"'
    arguments = '"--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"'
    _stand_in(client, name, files, f"WORKDIR /prometheus\nENTRYPOINT [{entry}]\nCMD [{arguments}]\n")


def _alertmanager(client: DockerClient, name: str) -> None:
    paths = ("usr/bin/prometheus-alertmanager", "usr/bin/amtool", "usr/share/prometheus")
    files = [_from("prometheus-alertmanager", path) for path in paths]
    entry = '"/usr/bin/prometheus-alertmanager"'
    arguments = '"--config.file=/etc/alertmanager/alertmanager.yml", "--storage.path=/alertmanager"'
    _stand_in(client, name, files, f"WORKDIR /alertmanager\nENTRYPOINT [{entry}]\nCMD [{arguments}]\n")


def _redis(client: DockerClient, name: str) -> None:
    command = '"redis-server", "--protected-mode", "no", "--save", ""'
    _stand_in(client, name, [], f"WORKDIR /data\nCMD [{command}]\n")


def _from(package: str, path: str) -> tuple[Path, str]:
    """A file or folder of an unpacked package, and its place in the image: the same."""
    return packages.extracted("trixie", package) / path, path


def _stand_in(client: DockerClient, name: str, files: list[tuple[Path, str]], rest: str) -> None:
    base = tag("python")
    if not has(client, base):
        _python(client, base)
    copies = "".join(f"COPY {path} /{path}\n" for _, path in files)
    dockerfile = f"FROM {base}\n{copies}{rest}".encode()
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w") as context:
            _add_bytes(context, "Dockerfile", dockerfile)
            for source, path in files:
                context.add(source.resolve(), path)
        file.seek(0)
        build(client, file, name)


BUILDERS: dict[str, Callable[[DockerClient, str], None]] = {
    "python": _python,
    "prometheus": _prometheus,
    "alertmanager": _alertmanager,
    "redis": _redis,
}
