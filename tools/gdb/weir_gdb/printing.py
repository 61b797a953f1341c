"""What the commands print: a list, one goroutine with its stack, all goroutines by their stacks."""

import collections

import gdb

from weir_gdb import text
from weir_gdb.text import MINUTE, SECOND


def write_list(look, goroutines):
    """One line each; * before those that run on a thread."""
    if not goroutines:
        gdb.write("No goroutines.\n")
        return
    id_width = len(str(goroutines[-1].goid))
    for g in goroutines:
        top = look.stacks.of(g).top()
        status = ", ".join(p for p in (g.status, text.age(g.state, g.age_ns)) if p)
        mark = "*" if g.state in ("running", "syscall") else " "
        place = top.where() if top else "(stack unavailable)"
        labels = look.labels_text(g)
        gdb.write(
            f"{mark} {g.goid:<{id_width}}  {status:<28}  {place}{'  ' if labels else ''}{labels}\n"
        )
    states = collections.Counter(g.status for g in goroutines)
    parts = [f"{n} {status}" for status, n in states.most_common()]
    gdb.write(f"{text.count(len(goroutines), 'goroutine')}: {', '.join(parts)}\n")


def write_goroutine(look, g, everything):
    """As Go's debug=2, with gdb's numbers of the frames."""
    gdb.write(look.header(g) + "\n" + _stack_text(look.stacks.of(g), everything))
    gdb.write(look.created_by(g))


def write_groups(look, goroutines, everything):
    """Those of one stack, state, creator and labels once, the largest group first."""
    groups = collections.defaultdict(list)
    for g in goroutines:
        stack = look.stacks.of(g)
        key = (id(stack), g.status, g.locked, g.gopc, g.labels_at, look.waits_on(g))
        groups[key].append(g)
    for group in sorted(groups.values(), key=lambda group: (-len(group), group[0].goid)):
        if len(group) == 1:
            write_goroutine(look, group[0], everything)
        else:
            _write_group(look, group, everything)
        gdb.write("\n")
    gdb.write(
        f"{text.count(len(goroutines), 'goroutine')} in {text.count(len(groups), 'group')}\n"
    )


def _write_group(look, group, everything):
    first = group[0]
    parts = [first.status, _ages(group), "locked to thread" if first.locked else ""]
    parts += [look.waits_on(first), look.labels_text(first, with_name=False)]
    gdb.write(f"{len(group)} goroutines [" + ", ".join(p for p in parts if p) + "]: ")
    gdb.write(text.ranges([g.goid for g in group]) + "\n")
    gdb.write(_stack_text(look.stacks.of(first), everything))
    has_one_parent = len({g.parent for g in group}) == 1
    gdb.write(look.created_by(first) if has_one_parent else _creator(look, first))


def _creator(look, g):
    creator = look.creator(g)
    return f"created by {creator.where()}\n" if creator else ""


def _ages(group):
    """`2 to 5 minutes`"""
    unit, name = (MINUTE, "minutes") if group[0].state in ("waiting", "syscall") else (SECOND, "s")
    low, high = min(g.age_ns for g in group) // unit, max(g.age_ns for g in group) // unit
    if high == 0:
        return ""
    return f"{high} {name}" if low == high else f"{low} to {high} {name}"


def _stack_text(stack, everything):
    """The text of a stack that many have is made once."""
    kept = stack.texts.get(everything)
    if kept is None:
        lines = [str(f) for f in stack.shown(everything)]
        if stack.truncated:
            lines.append("...additional frames elided...")
        if stack.problem:
            lines.append(f"(no further: {text.clean(stack.problem)})")
        kept = stack.texts[everything] = "".join(line + "\n" for line in lines)
    return kept
