"""Find out which container the daemon itself runs in, because it must never restart that one."""

from __future__ import annotations

import re
import socket
from pathlib import Path

_ID = r"([0-9a-f]{64})"
# The engine mounts these three from the container's own folder. Mounts of the same folder elsewhere
# belong to other containers, seen from the host.
_MOUNT = re.compile(rf"/containers/{_ID}/\S+ /etc/(?:hostname|hosts|resolv\.conf) ")
_CGROUP = re.compile(rf"[/-]{_ID}(?:\.scope)?$", re.MULTILINE)
_SHORT_ID = re.compile(r"[0-9a-f]{12}")


def own_container_id(proc: Path = Path("/proc/self"), hostname: str | None = None) -> str | None:
    """The full id, or the short one where only the hostname tells; None outside of a container."""
    # The cgroup first: a container that shares the network of another one has that one's files in /etc.
    for name, pattern in (("cgroup", _CGROUP), ("mountinfo", _MOUNT)):
        found = pattern.search(_read(proc / name))
        if found:
            return found[1]
    hostname = socket.gethostname() if hostname is None else hostname
    return hostname if _SHORT_ID.fullmatch(hostname) else None


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
