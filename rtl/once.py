"""RTLIL in which modules that are the same stand once."""

import re

#: Lines of RTLIL: what a module is called, and what is in it.
_MODULE = re.compile(r"(?m)^module (\S+)$")
_CELL = re.compile(r"(?m)^(  cell )(\\\S+)")


def once(text: str) -> str:
    """Return RTLIL in which modules that are the same stand once, under the first one's name.

    Amaranth writes one for every instance; an array of 8 x 8 units would have 64 copies of each.
    """
    *modules, rest = re.split(r"(?<=\nend\n)", text)
    same: dict[str, str] = {}
    first: dict[str, str] = {}
    kept: dict[str, str] = {}
    # Submodules come after what they are in.
    for module in reversed(modules):
        body = _CELL.sub(lambda found: found[1] + same.get(found[2], found[2]), module)
        found = _MODULE.search(body)
        assert found is not None, "a module has a name"
        known = kept.setdefault(_MODULE.sub("", body, count=1), found[1])
        same[found[1]] = known
        first[known] = found[1]
    names = {name: first[known] for name, known in same.items()}
    chosen = set(first.values())
    return (
        "".join(
            _CELL.sub(lambda found: found[1] + names.get(found[2], found[2]), module)
            for name, module in zip(reversed(same), modules, strict=True)
            if name in chosen
        )
        + rest
    )
