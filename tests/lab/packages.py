"""Fetch the programs that the lab runs, as Debian packages, without installing them.

Two Debian releases carry two versions of Prometheus and Alertmanager. Unpacked side by side both can run on
one machine, no service is started, and the system's own packages and package lists stay as they are: each
release gets a private apt root in the cache, whose mirror is read off the machine's own sources.

    python -m tests.lab.packages        fetch everything and print where it lies
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tests.lab.paths import LabError, cache, filled, lock, say

if TYPE_CHECKING:
    from collections.abc import Sequence

Version = Literal["old", "new"]
VERSIONS: tuple[Version, ...] = ("old", "new")
RELEASES: dict[Version, str] = {"old": "bookworm", "new": "trixie"}
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

# Debian's Alertmanager reads its templates from one fixed place. This shows it the unpacked ones there, in a
# view of the file system that only it has; the process stays the one that was started.
LAUNCHER = """#!/bin/sh
# Run the Alertmanager beside this file, with its package's templates in their place under /usr/share.
set -eu
root=$(cd "$(dirname "$0")" && pwd)
user=
[ "$(id -u)" = 0 ] || user=--map-root-user
exec unshare --mount $user sh -euc '
    root=$1 from=$PWD
    shift
    cd "$root"
    mount -t overlay templates -o lowerdir=usr/share:/usr/share /usr/share
    cd "$from"
    exec "$root/usr/bin/prometheus-alertmanager" "$@"
' sh "$root" "$@"
"""


@dataclass(frozen=True)
class Programs:
    """One version of Prometheus and Alertmanager, each with its checking tool."""

    prometheus: Path
    promtool: Path
    alertmanager: Path
    amtool: Path


def programs(version: Version) -> Programs:
    """The programs of one version: those named by variables, else unpacked packages, else those on PATH."""
    found = _named(version)
    if found is not None:
        return found
    try:
        return _unpacked(version, fetch=True)
    except LabError:
        on_path = _on_path() if version == "new" else None
        if on_path is None:
            raise
        return on_path


def programs_at_hand(version: Version = "new") -> Programs | None:
    """Like programs(), but fetches nothing: None when they would have to be fetched first."""
    found = _named(version)
    if found is not None:
        return found
    try:
        return _unpacked(version, fetch=False)
    except LabError:
        return _on_path() if version == "new" else None


def compose_plugin() -> Path:
    """The Compose v2 program; works as a plugin of the docker command and by itself."""
    return _inside("trixie", "docker-compose", "usr/libexec/docker/cli-plugins/docker-compose")


def busybox() -> Path:
    """A static busybox: one file that makes an image."""
    folder = extracted("trixie", "busybox-static")
    for name in ("usr/bin/busybox", "bin/busybox"):
        if (folder / name).is_file():
            return folder / name
    raise LabError(f"no busybox in {folder}")


def extracted(release: str, package: str, *, fetch: bool = True) -> Path:
    """The folder that holds one package of one release, unpacked."""
    target = cache() / "packages" / release / package
    if target.is_dir():
        return target
    if not fetch:
        raise LabError(f"{package} of {release} has not been fetched")
    with lock(f"packages-{release}"):
        if not target.is_dir():
            say(f"fetching {package} of Debian {release}")
            with filled(target) as work:
                archives = work / ".archives"
                archives.mkdir()
                _apt(release, "download", package, cwd=archives)
                for archive in archives.glob("*.deb"):
                    unpack(archive, work)
                shutil.rmtree(archives)
    return target


def closure(release: str, packages: Sequence[str], skip: frozenset[str] = frozenset()) -> list[Path]:
    """The archives of *packages* and of all they depend on, as for an empty machine, less those in *skip*."""
    with lock(f"packages-{release}"):
        listing = _apt(
            release, "install", "--yes", "--no-install-recommends", "--print-uris", *packages, empty=True
        )
        names = []
        for line in listing.splitlines():
            if line.startswith("'"):
                file = line.split()[1]
                names.append((file.split("_")[0], file))
        archives = cache() / "apt" / release / "closure"
        archives.mkdir(exist_ok=True)
        wanted = [(package, file) for package, file in names if package not in skip]
        missing = [package for package, file in wanted if not (archives / file).is_file()]
        if missing:
            say(f"fetching {len(missing)} packages of Debian {release}")
            _apt(release, "download", *missing, cwd=archives)
        return [archives / file for _, file in wanted]


def unpack(archive: Path, into: Path) -> None:
    """Unpack one Debian archive; its scripts are not run."""
    _run(["dpkg-deb", "-x", str(archive), str(into)])


def _named(version: Version) -> Programs | None:
    end = "_OLD" if version == "old" else ""
    prometheus = os.environ.get(f"REMEDIATOR_LAB_PROMETHEUS{end}")
    alertmanager = os.environ.get(f"REMEDIATOR_LAB_ALERTMANAGER{end}")
    if not prometheus or not alertmanager:
        return None
    return _with_tools(Path(prometheus), Path(alertmanager))


def _on_path() -> Programs | None:
    prometheus, alertmanager = shutil.which("prometheus"), shutil.which("alertmanager")
    alertmanager = alertmanager or shutil.which("prometheus-alertmanager")
    if prometheus is None or alertmanager is None:
        return None
    return _with_tools(Path(prometheus), Path(alertmanager))


def _with_tools(prometheus: Path, alertmanager: Path) -> Programs:
    """As most distributions have it: each checking tool lies beside its program."""
    return Programs(
        prometheus=prometheus,
        promtool=prometheus.with_name("promtool"),
        alertmanager=alertmanager,
        amtool=alertmanager.with_name("amtool"),
    )


def _unpacked(version: Version, *, fetch: bool) -> Programs:
    release = RELEASES[version]
    found = _with_tools(
        _inside(release, "prometheus", "usr/bin/prometheus", fetch=fetch),
        _inside(release, "prometheus-alertmanager", "usr/bin/prometheus-alertmanager", fetch=fetch),
    )
    found = replace(found, alertmanager=_launcher(release))
    if not found.promtool.is_file():  # newer releases have it in a package of its own
        found = replace(found, promtool=_inside(release, "promtool", "usr/bin/promtool", fetch=fetch))
    return found


def _launcher(release: str) -> Path:
    folder = extracted(release, "prometheus-alertmanager", fetch=False)
    launcher = folder / "alertmanager"
    if not launcher.is_file() or launcher.read_text() != LAUNCHER:
        fresh = folder / f".alertmanager.{os.getpid()}"
        fresh.write_text(LAUNCHER)
        fresh.chmod(0o755)
        fresh.replace(launcher)
    return launcher


def _inside(release: str, package: str, path: str, *, fetch: bool = True) -> Path:
    file = extracted(release, package, fetch=fetch) / path
    if not file.is_file():
        raise LabError(f"{file} is not where {package} of {release} was expected to put it")
    return file


def _apt(release: str, *args: str, cwd: Path | None = None, empty: bool = False) -> str:
    """Run apt-get on the private root of one release; *empty*: as on an empty machine."""
    root = _apt_root(release)
    options = ["-o", f"Dir::State::status={root / 'empty-status'}"] if empty else []
    return _run(["apt-get", *_apt_options(root), *options, *args], cwd=cwd)


@functools.cache
def _apt_root(release: str) -> Path:
    """A private apt root for *release*, with fresh package lists; the caller holds the lock."""
    if shutil.which("apt-get") is None:
        raise LabError(
            "this machine has no apt-get to fetch Prometheus, Alertmanager and Compose with: install them, "
            "and name them with REMEDIATOR_LAB_PROMETHEUS and REMEDIATOR_LAB_ALERTMANAGER (also ..._OLD)"
        )
    root = cache() / "apt" / release
    for folder in ("lists/partial", "archives/partial", "etc"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "empty-status").touch()
    signed = f" [signed-by={KEYRING}]" if KEYRING.is_file() else ""
    (root / "etc/sources.list").write_text(f"deb{signed} {_mirror()} {release} main\n")
    say(f"reading the package lists of Debian {release}")
    _run(["apt-get", *_apt_options(root), "update", "--quiet"])
    return root


def _apt_options(root: Path) -> list[str]:
    settings = {
        "Dir::Etc::sourcelist": root / "etc/sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::Etc::preferences": "-",
        "Dir::Etc::preferencesparts": "-",
        "Dir::State": root,
        "Dir::State::lists": root / "lists",
        "Dir::Cache": root,
        "Dir::Cache::archives": root / "archives",
        "APT::Sandbox::User": "root",  # the cache may lie where the user _apt cannot read
        "APT::Get::List-Cleanup": "false",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]


def _mirror() -> str:
    """The Debian mirror that this machine itself uses, whatever the form of its source lists."""
    codename = _os_release().get("VERSION_CODENAME", "")
    targets = _run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"]
    )
    for line in targets.splitlines():
        uri, release, component = line.split()
        if component == "main" and release in {codename, "stable", "testing", "unstable", *RELEASES.values()}:
            return uri
    raise LabError(
        "no Debian mirror in this machine's apt sources, so two releases' packages cannot be fetched"
    )


def _os_release() -> dict[str, str]:
    lines = Path("/etc/os-release").read_text().splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {key: value.strip('"') for key, _, value in pairs}


def _run(argv: list[str], cwd: Path | None = None) -> str:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise LabError(f"{' '.join(argv)} failed ({done.returncode}):\n{done.stderr.strip()}")
    return done.stdout


def main() -> int:
    """Fetch everything and print where it lies."""
    try:
        for version in VERSIONS:
            found = programs(version)
            for path in (found.prometheus, found.promtool, found.alertmanager, found.amtool):
                print(path)
        print(compose_plugin())
        print(busybox())
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
