"""The words of a command: which goroutines, how, and what to do with them."""

import re

from weir_gdb import text
from weir_gdb.errors import WeirError

HELP = """\
Options that say which goroutines:
  -state WORDS       in one of these states or wait reasons, separated by commas
                     (running, waiting, "chan receive", ...)
  -function REGEX    with a function or file:line like this in their stack
  -created-by REGEX  created by a function or file:line like this
  -label KEY[=VALUE] with this label; may be given several times
  -name REGEX        with a name like this
  -older AGE         in their state for at least so long: 90s, 5m, 1h30m
  -younger AGE       in their state for less than that
Regular expressions are Python's; upper and lower case are alike."""

_VALUED = ("-state", "-function", "-created-by", "-label", "-name", "-older", "-younger")
_WORD = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S+))""")


class Words:
    """The arguments of a command, taken from the left."""

    def __init__(self, argument):
        self._left = argument.strip()

    def peek(self):
        """None: there is no more."""
        return self._match()[0] if self._left else None

    def take(self):
        word, end = self._match()
        self._left = self._left[end:].strip()
        return word

    def rest(self):
        """As it was written."""
        return self._left

    def _match(self):
        m = _WORD.match(self._left)
        if m[1] is not None:
            return re.sub(r"\\(.)", r"\1", m[1]), m.end()
        return m[2] if m[2] is not None else m[3], m.end()


class Filter:
    """A goroutine has to pass all of what is given."""

    def __init__(self):
        self.states, self.labels = [], []
        self.function = self.created_by = self.name = None
        self.older = self.younger = None
        self.is_empty = True

    def take_option(self, words):
        """True: the next word was an option of ours, and has been taken with its value."""
        option = words.peek()
        if option not in _VALUED:
            return False
        words.take()
        if words.peek() is None:
            raise WeirError(option, "a value must follow")
        value = words.take()
        self.is_empty = False
        if option == "-state":
            self.states += [w.strip().lower() for w in value.split(",") if w.strip()]
        elif option == "-label":
            self.labels.append(tuple(value.split("=", 1)))
        elif option in ("-older", "-younger"):
            age = text.parse_age(value)
            if age is None:
                raise WeirError(option, "an age is a number with ns, us, ms, s, m or h: 5m, 1h30m")
            setattr(self, option[1:], age)
        else:
            setattr(self, option[1:].replace("-", "_"), _pattern(option, value))
        return True

    def passes(self, look, g):
        """What is cheap to know first."""
        if self.states and g.state not in self.states and g.reason.lower() not in self.states:
            return False
        if self.older is not None and g.age_ns < self.older:
            return False
        if self.younger is not None and g.age_ns >= self.younger:
            return False
        if self.name is not None and not self.name.search(g.name):
            return False
        if self.labels and not self._has_labels(look.runtime.labels(g)):
            return False
        if self.created_by is not None:
            creator = look.creator(g)
            if creator is None or not self.created_by.search(creator.where()):
                return False
        if self.function is not None:
            frames = look.stacks.of(g).shown(False)
            return any(self.function.search(f.where()) for f in frames)
        return True

    def _has_labels(self, labels):
        return all(
            any(l == label or (len(label) == 1 and l[0] == label[0]) for l in labels)
            for label in self.labels
        )


def _pattern(option, value):
    try:
        return re.compile(value, re.IGNORECASE)
    except re.error as e:
        raise WeirError(option, f"is no regular expression: {e}") from None


def parse_ids(word):
    """`7`, `7,9-12` as [(7, 7), (9, 12)]; None: they are none."""
    if not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", word):
        return None
    pairs = [part.split("-") for part in word.split(",")]
    return [(int(p[0]), int(p[-1])) for p in pairs]


def no_more(words, command):
    if words.peek() is not None:
        raise WeirError(
            f"'{text.clean(words.peek())}'", f"is no option of {command}; see: help {command}"
        )
