"""Text for people: names and labels made fit for a terminal, ages, lists of ids.

What comes from the program (names, labels, URLs, debug information) may hold anything; nothing of
it reaches the terminal unescaped.
"""

import re
import unicodedata

SECOND, MINUTE = 10**9, 60 * 10**9  # ns

_BARE = re.compile(r"[A-Za-z0-9./_]+")
_UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": SECOND, "m": MINUTE, "h": 60 * MINUTE}
_PLAIN = re.compile(r"[ -~]*")


def clean(text):
    """One line; what would control the terminal, or fool the reader, is escaped."""
    if _PLAIN.fullmatch(text):
        return text
    return "".join(c if _is_printable(c) else _escape(c) for c in text)


def _is_printable(c):
    # Controls, formats (the bidirectional ones), surrogates, private use, line separators.
    return c == " " or unicodedata.category(c)[0] not in "CZ"


def _escape(c):
    n = ord(c)
    if 0xDC80 <= n <= 0xDCFF:  # a byte that was no UTF-8
        return f"\\x{n - 0xDC00:02x}"
    return f"\\x{n:02x}" if n < 0x80 else f"\\u{n:04x}" if n < 0x10000 else f"\\U{n:08x}"


def decode(data):
    """Bytes of the program."""
    return data.decode("utf-8", "surrogateescape")


def label(text):
    """Bare where it is a word, in quotes otherwise; nothing in it ends the header's brackets."""
    if _BARE.fullmatch(text):
        return text
    quoted = clean(text.replace("\\", "\\\\").replace('"', '\\"'))
    return '"' + quoted.replace("]", "\\x5d").replace(",", "\\x2c") + '"'


def age(state, ns):
    """As the dumps tell it: minutes of those that are blocked, seconds of those that are not."""
    if state in ("waiting", "syscall"):
        return f"{ns // MINUTE} minutes" if ns >= MINUTE else ""
    return f"{ns // SECOND} s" if ns >= SECOND else ""


def parse_age(text):
    """`90s`, `5m`, `1h30m` in ns; None: it is none."""
    if not re.fullmatch(r"(\d+(\.\d+)?(ns|us|ms|s|m|h))+", text):
        return None
    parts = re.findall(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)", text)
    return int(sum(float(n) * _UNITS[unit] for n, unit in parts))


def ranges(ids, most=20):
    """Sorted ids, neighbours folded: `1, 5-8, 12`."""
    runs = []
    for i in ids:
        if runs and runs[-1][1] == i - 1:
            runs[-1][1] = i
        else:
            runs.append([i, i])
    shown = [str(a) if a == b else f"{a}-{b}" for a, b in runs[:most]]
    left = sum(b - a + 1 for a, b in runs[most:])
    return ", ".join(shown) + (f" and {left} more" if left else "")


def count(n, what):
    return f"{n} {what}" + ("" if n == 1 else "s")
