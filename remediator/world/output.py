"""Text that comes from outside: cut to a bounded size, and its obvious secrets taken out.

What programs write ends up as evidence, in messages and on pages, so it passes here first.
"""

from __future__ import annotations

import re2

REDACTED = "[redacted]"

# RE2, since what is read here is long, hostile, or both: linear in time, and fast where nothing is found.
_OPTIONS = re2.Options()
_OPTIONS.case_sensitive = False
_KEY = (
    r"[\w.-]{0,40}(?:passwords?|passwd|passphrase|pwd|secret\w{0,40}|tokens?|api[_-]?key|access[_-]?key"
    r"|private[_-]?key|credentials?|session[_-]?id|cookie)"
)
_RULES = tuple(
    (re2.compile(pattern, _OPTIONS), replacement)
    for pattern, replacement in (
        # A private key in PEM form, also one whose end was cut off.
        (r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)", REDACTED),
        # The end of one whose beginning was cut off, also with time stamps in front of its lines.
        (
            r"(?:(?:^|\n)(?:\d{4}-\S{1,40} )?[a-z0-9+/=]{16,80}\r?)+\n(?:\d{4}-\S{1,40} )?"
            r"-----END [A-Z ]*PRIVATE KEY-----",
            rf"\n{REDACTED}",
        ),
        # What is left of a word that was cut may be the end of a secret.
        (r"(\[\.\.\. \d{1,20} bytes cut \.\.\.\]\n)[^\s\"']{1,200}", rf"\1{REDACTED}"),
        # user:password@ in a URL; where no page is meant, the password may hold a slash.
        (
            r"(\b(?:rediss?|mongodb(?:\+srv)?|postgres(?:ql)?|mysql|amqps?)://[^\s/:@]{0,200}:)[^\s@\"']{1,1000}@",
            rf"\1{REDACTED}@",
        ),
        (r"(\b[a-z][a-z0-9+.-]{0,20}://[^\s/:@]{0,200}:)[^\s/@]{1,1000}@", rf"\1{REDACTED}@"),
        # An Authorization header, and schemes on their own.
        (
            r"(\bauthorization\"?\s{0,5}[:=]\s{0,5}\"?(?:(?:basic|bearer|digest|token)\s{1,5})?)[^\s\"',]+",
            rf"\1{REDACTED}",
        ),
        (r"(\bbearer\s{1,5})[a-z0-9._~+/=-]{8,}", rf"\1{REDACTED}"),
        # Cookies, all of them.
        (r"(\bcookie\"?\s{0,5}:\s{0,5}\"?)[^\r\n\"]+", rf"\1{REDACTED}"),
        # key=value, key: value, "key": "value", --key value; quoted values whole.
        (
            rf"(\b{_KEY}[\"']?\s{{0,5}}[:=]\s{{0,5}})(?:\"(?:[^\"\\\n]|\\.)*\"?|'(?:[^'\\\n]|\\.)*'?|[^\s\"',;&}}]+)",
            rf"\1{REDACTED}",
        ),
        (rf"(--{_KEY}\s{{1,5}})[^\s-][^\s]*", rf"\1{REDACTED}"),
        # Redis and SQL, which write no sign between.
        (r"(\b(?:requirepass|masterauth)\s{1,5}|\bidentified\s{1,5}by\s{1,5})[^\s;]+", rf"\1{REDACTED}"),
        # Well-known forms of tokens that give themselves away.
        (
            r"\b(?:eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}"
            r"|xox[abprs]-[\w-]{10,}|xapp-[\w-]{10,}|AKIA[0-9A-Z]{16}|AIza[\w-]{35}|hv[sb]\.[\w-]{16,}"
            r"|[sr]k[_-](?:live|test|proj|ant)[_-][\w-]{16,}|sk-[a-z0-9]{32,}|npm_\w{30,}|hf_\w{30,})",
            REDACTED,
        ),
        (r"(\bhooks\.slack\.com/services/)[\w/-]{10,}", rf"\1{REDACTED}"),
    )
)


def redact(text: str) -> str:
    """The text with what looks like a password, token or key replaced by `[redacted]`."""
    # Half a character, which JSON can hold, is none to RE2.
    text = text.encode(errors="replace").decode()
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


class CutBuffer:
    """Takes in any amount of bytes and keeps at most `limit`: the head and the tail."""

    def __init__(self, limit: int) -> None:
        self._head_limit = limit // 2
        self._tail_limit = limit - self._head_limit
        self._head = bytearray()
        self._tail = bytearray()
        self.size = 0
        """Bytes taken in."""

    def add(self, data: bytes) -> None:
        """Take in the next piece."""
        self.size += len(data)
        room = self._head_limit - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data[-self._tail_limit :] if self._tail_limit else b""
        # Cutting only now and then keeps the cost of each byte constant.
        if len(self._tail) > 2 * self._tail_limit + 65_536:
            del self._tail[: -self._tail_limit]

    def text(self) -> str:
        """What was kept, as text; a mark in the middle says how much was cut."""
        tail = self._tail[-self._tail_limit :] if self._tail_limit else bytearray()
        cut = self.size - len(self._head) - len(tail)
        if not cut:
            return (self._head + tail).decode(errors="replace")
        middle = f"\n[... {cut} bytes cut ...]\n"
        return self._head.decode(errors="replace") + middle + tail.decode(errors="replace")
