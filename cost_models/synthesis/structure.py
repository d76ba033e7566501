"""Where the groups of a Liberty file are, without a look at what most of them hold.

A library is mostly tables, so only what sets its structure is read: comments, strings and braces. A
file that ends too early or is damaged is seen here as a brace or a quote without its other half.
"""

import re
from dataclasses import dataclass

from hwsim.errors import InputError

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|/\*.*?\*/|//[^\n]*|/\*|"', re.DOTALL)
_BRACE = re.compile(r"[{}]")
#: What stands before an opening brace.
_HEAD = re.compile(r'(?<!\w)([A-Za-z_]\w*)\s*\(((?:"[^"]*"|[^()"])*)\)\s*\Z')
#: Characters of the longest kind of group.
_LONGEST = 64
_CONTINUATION = re.compile(r"\\(?=[ \t]*\n)")
#: Legal ends of lines that Yosys takes for ends of statements.
_BROKEN = re.compile(r"(?<=\S)\s++(?=[:(])|(?<=:)\s++")
_LOW_BRACE = re.compile(r"\)([ \t]*+\n\s*+)\{")
#: Expressions without quotes, which neither Yosys nor OpenSTA reads.
_UNQUOTED = re.compile(
    r"""((?:when|function|next_state|clocked_on|clocked_on_also|clear|preset|three_state
    |enable|data_in|related_pin|sdf_cond)\s*:\s*)([^\s";{}][^";{}\n]*?)([ \t]*[;}\n])""",
    re.VERBOSE,
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
#: What strings may hold and tools do not read there.
_ODD = re.compile(r'[{}\n]|\\"')
_LINE_END = re.compile(r"\\?[ \t]*\n")
_NO_BRACES = str.maketrans("{}", "  ")


@dataclass(frozen=True)
class Group:
    """A group: its kind, the text of its arguments, how many groups it is in, first and last."""

    kind: str
    arguments: str
    depth: int
    start: int
    end: int

    @property
    def name(self) -> str:
        """The only argument, without quotes."""
        return self.arguments.strip().strip('"').strip()


def plain(text: str, source: str) -> str:
    """Return ``text`` in the narrower syntax that Yosys and OpenSTA read, almost line by line.

    Comments, continuations of lines, and braces, quotes and ends of lines in strings are left out;
    expressions are quoted.

    Raises
    ------
    InputError
        For a comment or a string without an end, or a character that no text has.
    """
    pieces, end = [], 0
    for match in _TOKEN.finditer(text):
        start = match.start()
        token = match[0]
        if token in ('"', "/*"):
            kind = "string" if token == '"' else "comment"
            raise InputError(f"{place(text, start, source)}: a {kind} without an end")
        if token[0] == "/":
            pieces += [text[end:start], " ", "\n" * token.count("\n")]
            end = match.end()
        elif _ODD.search(token):
            token = _LINE_END.sub(" ", token.replace('\\"', ""))
            pieces += [text[end:start], token.translate(_NO_BRACES)]
            end = match.end()
    text = _CONTINUATION.sub(" ", "".join([*pieces, text[end:]]))
    if control := _CONTROL.search(text):
        where = place(text, control.start(), source)
        raise InputError(f"{where}: the byte {ord(control[0]):#04x}, which no text has")
    text = _LOW_BRACE.sub(r") {\1", _BROKEN.sub(" ", text))
    return _UNQUOTED.sub(r'\1"\2"\3', text)


def groups(text: str, source: str) -> list[Group]:
    """Return all groups of what :func:`plain` returns; each comes after those inside it.

    Raises
    ------
    InputError
        If braces do not match, or one has no group's name before it.
    """
    found = []
    opened: list[tuple[str, str, int]] = []
    last = 0
    for match in _BRACE.finditer(text):
        brace = match.start()
        if text[brace] == "{":
            head = _HEAD.search(text, max(last, text.rfind("(", last, brace) - _LONGEST), brace)
            if head is None:
                raise InputError(f"{place(text, brace, source)}: a brace without a group's name")
            opened.append((head[1], head[2], head.start()))
        elif not opened:
            raise InputError(f"{place(text, brace, source)}: a closing brace too many")
        else:
            kind, arguments, start = opened.pop()
            found.append(Group(kind, arguments, len(opened), start, brace + 1))
        last = brace + 1
    if opened:
        kind, arguments, start = opened[-1]
        raise InputError(
            f"{place(text, start, source)}: the group {kind}({arguments.strip()}) has no end; is "
            "the file complete?"
        )
    return found


def without(text: str, left_out: list[Group], start: int = 0) -> str:
    """Return ``text``, of which ``start`` is the position, without some groups.

    Every other character stays in its line.
    """
    pieces, end = [], 0
    for group in sorted(left_out, key=lambda g: g.start):
        first, last = group.start - start, group.end - start
        if first < end:
            continue  # In one that is gone.
        pieces += [text[end:first], "\n" * text.count("\n", first, last)]
        end = last
    return "".join([*pieces, text[end:]])


def place(text: str, position: int, source: str) -> str:
    """Return file and line of a position."""
    return f"{source}, line {text.count(chr(10), 0, position) + 1}"
