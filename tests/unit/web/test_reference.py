"""The reference names every path and every error code that there is, and none that there is not."""

import re
from pathlib import Path

from remediator.web import body, call, errors, webhook
from remediator.web.app import make_app
from tests.unit.web.house import house

ROOT = Path(__file__).parents[3]
REFERENCE = (ROOT / "docs/reference/http-api.md").read_text()


async def test_the_reference_lists_exactly_the_paths_that_there_are() -> None:
    listed = set(re.findall(r"^\| `([A-Z]+ /[^`]*)`", REFERENCE, re.MULTILINE))
    async with house() as opened:
        served = {
            f"{route.method} {route.resource.canonical}".replace("{id}", "ID").replace("{sha256}", "SHA256")
            for route in make_app(opened.front).router.routes()
            if route.resource is not None and route.method != "HEAD"
        }
    assert listed == served


def test_the_reference_lists_every_error_code() -> None:
    told = REFERENCE.partition("| status | codes |")[2]
    listed = set(re.findall(r"`([a-z_]+)`", told.partition("\n\n")[0])) - {"limits", "max_body"}
    sources = "".join(Path(module.__file__ or "").read_text() for module in (body, call, errors, webhook))
    raised = set(re.findall(r'(?:refused|Refusal)\(\s*\d{3},\s*"([a-z_]+)"', sources))
    raised |= set(re.findall(r'^    \w+: \((?:\d{3}, )?"([a-z_]+)"', sources, re.MULTILINE))
    assert listed == raised
