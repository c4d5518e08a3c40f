"""Known vulnerabilities of what the lock files name.

A vulnerability that is found fails, with the package and the version that mends it. A service that does
not answer is not a vulnerability: that is said plainly, and nothing fails, so that a machine which reaches
package indexes only (as CI may) can still test everything else.

    python -m tests.lab.audit LOCKFILE...
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

SERVICES = ("pypi", "osv")
SECONDS = 120
"""For one lock file and one service: a service that only hangs is one that does not answer."""


@dataclass(slots=True)
class Findings:
    """What one service said about one lock file."""

    vulnerable: list[str] = field(default_factory=list)
    audited: int = 0
    unknown: list[str] = field(default_factory=list)
    """Packages that the service said nothing about."""


def read(report: dict[str, Any]) -> Findings:
    """The findings in a report of pip-audit's."""
    found = Findings()
    for package in report["dependencies"]:
        if "skip_reason" in package:
            found.unknown.append(package["name"])
            continue
        found.audited += 1
        for vulnerability in package["vulns"]:
            fixed = ", ".join(vulnerability["fix_versions"]) or "none yet"
            found.vulnerable.append(
                f"{package['name']} {package['version']}: {vulnerability['id']}, fixed in: {fixed}"
            )
    return found


def ask(service: str, lockfile: str) -> Findings | None:
    """What a service knows about a lock file; None when it does not answer."""
    argv = [sys.executable, "-m", "pip_audit", f"--vulnerability-service={service}", "--format=json"]
    argv += ["--progress-spinner=off", "--require-hashes", "--disable-pip", f"--requirement={lockfile}"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=False)
        found = read(json.loads(done.stdout))
    except (subprocess.TimeoutExpired, ValueError):
        return None
    return found if found.audited else None


def audit(lockfile: str, ask: Callable[[str, str], Findings | None] = ask) -> bool:
    """Print what is known about one lock file; False if that is a vulnerability."""
    for service in SERVICES:
        found = ask(service, lockfile)
        if found is None:
            continue
        for line in found.vulnerable:
            print(f"audit: {lockfile}: {line}")
        if found.unknown:
            print(f"audit: {lockfile}: {service} knows nothing of {', '.join(found.unknown)}: NOT audited")
        print(f"audit: {lockfile}: {found.audited} packages, {len(found.vulnerable)} known vulnerabilities")
        return not found.vulnerable
    print(f"audit: {lockfile}: NOT audited: no vulnerability service ({', '.join(SERVICES)}) answers here")
    return True


def main(lockfiles: list[str]) -> int:
    """The command line told in the module's docstring."""
    if not lockfiles:
        print(__doc__, file=sys.stderr)
        return 2
    clean = [audit(lockfile) for lockfile in lockfiles]
    if not all(clean):
        print("audit: raise the versions in pyproject.toml and run `make lock`")
    return 0 if all(clean) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
