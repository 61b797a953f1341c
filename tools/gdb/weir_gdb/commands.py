"""The commands `info goroutines` and `goroutine`: what their words mean, and what fails how."""

import gdb

from weir_gdb import backtrace, filters, printing, standing, text
from weir_gdb.errors import WeirError, one_line
from weir_gdb.filters import Filter, Words
from weir_gdb.look import Look

# What resumes the program, with the shortest form that gdb takes for it: a goroutine that does not
# run cannot be stepped.
_RESUMES = {
    "advance": 3, "attach": 3, "call": 3, "continue": 1, "detach": 3, "fg": 2, "finish": 3,
    "jump": 1, "kill": 1, "next": 1, "nexti": 5, "ni": 2, "return": 3, "reverse-": 3, "run": 1,
    "signal": 3, "si": 2, "start": 4, "starti": 6, "step": 1, "stepi": 5, "until": 1,
}  # fmt: skip
_BACKTRACES = ("bt", "backtrace", "where")


class InfoGoroutines(gdb.Command):
    __doc__ = f"""List the goroutines of a program that uses weir.
Usage: info goroutines [OPTION]...

A line each: * before those that run on a thread, the id, what it does or waits for and for how
long, the innermost function that is not the runtime's, and its name and labels.

{filters.HELP}"""

    def __init__(self):
        super().__init__("info goroutines", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        with one_line("info goroutines"):
            words, chosen = Words(argument), Filter()
            while chosen.take_option(words):
                pass
            filters.no_more(words, "info goroutines")
            look = Look()
            printing.write_list(look, [g for g in look.goroutines if chosen.passes(look, g)])


class GoroutineCommand(gdb.Command):
    __doc__ = f"""Show goroutines, or run a command of gdb's with the stack of each.
Usage: goroutine [OPTION]... IDS|all [COMMAND]

  goroutine 18               its state, its labels, its stack and who created it
  goroutine 18 bt            the same with gdb's backtrace: arguments, and all of its options
  goroutine 18 frame 5       any command, in a frame of its; the numbers are those of the backtrace
  goroutine 18 info locals   without a number: in the innermost one that is shown
  goroutine 7,9-12 bt        several
  goroutine all bt           all, those of the same stack together
  goroutine -each all bt     all, one by one
  goroutine -state "chan receive" all bt

Nothing is written to the program: it goes on as if nobody had looked, and core files can be read.

  -each     do not put goroutines of the same stack together
  -runtime  show the runtime's own frames, too
{filters.HELP}"""

    def __init__(self):
        super().__init__("goroutine", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        with one_line("goroutine"):
            request = _Request(argument)
            look = Look()
            chosen = request.choose(look)
            if request.is_grouped:
                printing.write_groups(look, chosen, request.everything)
                return
            for i, g in enumerate(chosen):
                if i:
                    gdb.write("\n")
                request.run(look, g, with_header=len(chosen) > 1)


class _Request:
    """`goroutine`'s words, understood."""

    def __init__(self, argument):
        words = Words(argument)
        self._filter, self._ids, self.everything = Filter(), None, False
        each = found = False
        while not found or (words.peek() or "").startswith("-"):
            if self._filter.take_option(words):
                continue
            if words.peek() is None:
                raise WeirError(
                    "which goroutine?", "an id or 'all' is expected; see: help goroutine"
                )
            word = words.take()
            if word == "-each":
                each = True
            elif word == "-runtime":
                self.everything = True
            elif word == "all":
                found = True
            else:
                self._ids, found = filters.parse_ids(word), True
                if self._ids is None:
                    raise WeirError(
                        f"'{text.clean(word)}'", "is no goroutine's id; see: help goroutine"
                    )
        self._command = words.rest()
        self._is_backtrace = self._command.split(None, 1)[:1] in ([b] for b in _BACKTRACES)
        bare = not self._command or (self._is_backtrace and " " not in self._command)
        # One that is asked for by its id is shown by gdb's own backtrace, with arguments.
        self.is_grouped = self._ids is None and bare and not each
        self._is_short = not self._command or (self._ids is None and bare)

    def choose(self, look):
        if self._ids is None:
            return [g for g in look.goroutines if self._filter.passes(look, g)]
        chosen = [g for g in look.goroutines if any(a <= g.goid <= b for a, b in self._ids)]
        for a, b in self._ids:
            if not any(a <= g.goid <= b for g in chosen):
                raise WeirError(f"goroutine {a}" if a == b else f"goroutines {a}-{b}", "not found")
        return [g for g in chosen if self._filter.passes(look, g)]

    def run(self, look, g, with_header):
        if self._is_short:
            printing.write_goroutine(look, g, self.everything)
            return
        self._refuse_to_resume(g)
        if with_header or self._is_backtrace:
            gdb.write(look.header(g) + "\n")
        stack = look.stacks.of(g)
        shown = stack.shown(self.everything)
        with standing.standing_in(look.runtime, g) as frame:
            # Innermost of what is shown: the locals of the runtime are nobody's concern.
            while shown and frame is not None and frame.level() < shown[0].level:
                frame = frame.older()
            if frame is not None:
                frame.select()
            with backtrace.trimmed(stack, self.everything):
                gdb.execute(self._command)
        if self._is_backtrace:
            gdb.write(look.created_by(g))

    def _refuse_to_resume(self, g):
        word = self._command.split(None, 1)[0]
        if any(len(word) >= least and full.startswith(word) for full, least in _RESUMES.items()):
            raise WeirError(
                f"goroutine {g.goid}",
                f"'{text.clean(word)}' resumes the program; only what looks at it can be done here",
            )


def install():
    InfoGoroutines()
    GoroutineCommand()
