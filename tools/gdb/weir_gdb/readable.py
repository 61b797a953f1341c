"""Functions' names as the profiler shows them: `zoo::start(int)::{lambda()#2}::operator()() const`
is `zoo::start::lambda#2`.

profiler/src/names.cc has the rules; this reads the same grammar, from left to right by recursive
descent over the brackets. What does not parse is shown as it is.
"""

import functools
import re

from weir_gdb import text

MOST_DEPTH = 100  # brackets within brackets
MOST_INPUT = 1 << 14
MOST_NAME = 500

# Arguments that a std template has unless told otherwise.
_DEFAULTS = (
    "std::allocator<", "std::char_traits<", "std::less<", "std::equal_to<", "std::hash<",
    "std::default_delete<",
)  # fmt: skip
_ALIASES = {
    "std::basic_string<char>": "std::string",
    "std::basic_string_view<char>": "std::string_view",
    "std::basic_ostream<char>": "std::ostream",
    "std::basic_istream<char>": "std::istream",
    "std::basic_iostream<char>": "std::iostream",
}
_OPERATOR = re.compile(
    r"operator(?!\w)(?:(<=>|<<=|>>=|->\*|\(\)|\[\]|->|<<|>>|<=|>=|==|!=|&&|\|\||\+\+|--|[-+*/%&|^]="
    r"|[-+*/%^&|~!=<>,?])| (?:new|delete)(?:\[\])?| co_await|\"\" ?\w+| )"
)
_QUALIFIER = re.compile(r"( const| volatile| &&| &| noexcept)(?!\w)")
_ABI = re.compile(r"std::(__cxx11|_V2|__1)::$")
_LAMBDA_CALL = re.compile(r"::(operator\(\)|_FUN|__invoke) ?")


class _Bad(Exception):
    pass


@functools.lru_cache(maxsize=1 << 14)
def readable(name):
    """Without return type, parameters and what goes without saying."""
    name = name.split(" [clone ", 1)[0]
    try:
        if len(name) > MOST_INPUT:
            raise _Bad
        short = _Reader(name).read("end").rstrip() or name
    except (_Bad, RecursionError):
        short = name
    if len(short) > MOST_NAME:
        short = short[: MOST_NAME - 3] + "..."
    return text.clean(short)


def first_argument(name):
    """Of a template's: what it was given to call, as a rule. None: it is no template."""
    at = name.find("<")
    while name.startswith("<lambda", at):
        at = name.find("<", at + 1)
    if at <= 0:
        return None
    depth = 0
    for i in range(at + 1, len(name)):
        c = name[i]
        if depth == 0 and c in ",>":
            return name[at + 1 : i].strip()
        depth += (c in "<({[") - (c in ">)}]")
    return None


class _Reader:
    def __init__(self, name):
        self.s, self.i, self.depth = name, 0, 0

    def read(self, until):
        """Up to the end ("end": of a function's full name), to what ends a template's argument
        ("argument") or to the closing parenthesis ("paren")."""
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise _Bad
        out = ""
        while self.i < len(self.s):
            c = self.s[self.i]
            if (until == "argument" and c in ",>") or (until == "paren" and c == ")"):
                break
            starts_word = not (out and (out[-1].isalnum() or out[-1] in "_$"))
            operator = _OPERATOR.match(self.s, self.i) if starts_word and c == "o" else None
            if operator:
                out += self._operator(operator)
            elif starts_word and self.s.startswith("$_", self.i):
                number = re.compile(r"\$_(\d*)").match(self.s, self.i)
                self.i = number.end()
                out += self._lambda(int(number[1] or 0) + 1)
            elif c == "<":
                out = self._angle(out)
            elif c == "{":
                out += self._brace()
            elif c == "(":
                out, complete = self._paren(out, until)
                if complete:
                    break
            elif c == "[":
                close = self._behind(self.i, "[", "]")
                out += "" if self.s.startswith("[abi:", self.i) else self.s[self.i : close]
                self.i = close
            elif c == " ":
                self.i += 1
                if until == "end":
                    out = ""  # everything before was the return type
                elif not self.s.startswith((">", ")"), self.i):
                    out += " "
            else:
                self.i += 1
                out += c
                if c == ":":
                    out = _ABI.sub("std::", out)
        self.depth -= 1
        return out

    def _skip(self, what):
        if not self.s.startswith(what, self.i):
            return False
        self.i += len(what)
        return True

    def _behind(self, at, opening, closing):
        depth = 0
        for i in range(at, len(self.s)):
            depth += (self.s[i] == opening) - (self.s[i] == closing)
            if depth == 0:
                return i + 1
        raise _Bad

    def _operator(self, m):
        self.i = m.end()
        if m[0] == "operator ":  # a conversion: a type up to the empty parameter list
            end = self.s.find("()", self.i)
            if end < 0:
                raise _Bad
            kind = _Reader(self.s[self.i : end])
            kind.depth = self.depth
            self.i = end
            return "operator " + kind.read("paren")
        if self.s.startswith(" <", self.i):
            self.i += 1
        return m[0]

    def _lambda(self, number):
        """That it is called by its operator() goes without saying."""
        call = _LAMBDA_CALL.match(self.s, self.i)
        if call:
            self.i = call.end()
            if self.s.startswith("<", self.i):
                self._angle("operator()")
        return "lambda" if number <= 1 else f"lambda#{number}"

    def _angle(self, out):
        if self.s.startswith("<lambda(", self.i):
            close = self._behind(self.i + 7, "(", ")")
            end = self.s.find(">", close)  # a trailing return type, mutable
            if end < 0:
                raise _Bad
            self.i = end + 1
            return out + self._lambda(1)
        if self._skip("<lambda>"):  # a lambda's constructor
            return out + self._lambda(1)
        is_template = out and (out[-1].isalnum() or out[-1] in "_$" or "operator" in out)
        self.i += 1
        if not is_template:
            return out + "<"
        of_std = re.search(r"[\w$:]*$", out)[0].startswith("std::")
        arguments = []
        while True:
            self._skip(" ")
            argument = self.read("argument")
            if argument and not (of_std and arguments and argument.startswith(_DEFAULTS)):
                arguments.append(argument)
            if not self._skip(","):
                break
        if not self._skip(">"):
            raise _Bad
        out += "<" + ", ".join(arguments) + ">"
        for full, alias in _ALIASES.items():
            if out.endswith(full):
                out = out[: -len(full)] + alias
        return out

    def _brace(self):
        close = self._behind(self.i, "{", "}")
        content, whole = self.s[self.i + 1 : close - 1], self.s[self.i : close]
        self.i = close
        number = re.search(r"#(\d{1,6})$", content)
        if content.startswith(("lambda(", "default arg#")):
            return self._lambda(int(number[1]) if number else 1)
        return "unnamed" if content.startswith("unnamed type#") else whole

    def _paren(self, out, until):
        """(out, True where the parameter list was met and the name is complete)"""
        if self._skip("(anonymous namespace)"):
            self._skip("::")
            return out, False
        close = self._behind(self.i, "(", ")")
        content = self.s[self.i + 1 : close - 1]
        if content.startswith("lambda at "):
            self.i = close
            return out + self._lambda(1), False
        if content.startswith("anonymous "):
            self.i = close
            return out + "unnamed", False
        behind = close
        while m := _QUALIFIER.match(self.s, behind):
            behind = m.end()
        if self.s.startswith("::", behind):  # a function that something local belongs to
            self.i = behind
            return out, False
        if until == "end" and out and (behind == len(self.s) or self.s[behind] == "["):
            self.i = len(self.s)
            return out, True
        if until == "end" and content.startswith(("*", "&")):  # returns a pointer to a function
            inner = _Reader(content[1:])
            inner.depth = self.depth
            self.i = len(self.s)
            return inner.read("end"), True
        self.i += 1
        inside = self.read("paren")
        if not self._skip(")"):
            raise _Bad
        return out + "(" + inside + ")", False
