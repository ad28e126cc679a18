"""The hand-written lists, and what is pasted where."""
import hashlib
import pathlib
import re

import cosmos

HERE = pathlib.Path(__file__).resolve().parent
SLOT = re.compile(r"\{([a-z]+)\}")
NUMBERS = {"int", "dec", "whole", "money"}
NAMES = {"field", "dir", "column", "way"}
DIRECTIONS = {"dir", "way"}
LONG = ("Lorem ipsum dolor sit amet, order or selection of words and where they come from. " * 12).strip()


def digest(*parts):
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def share(*parts):
    """A number in [0, 1) that depends on the words alone."""
    return int(digest(*parts)[:13], 16) / 16**13


def sections(path, header):
    """[(match of the header, lines)]; what stands before the first header is a comment."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        match = re.fullmatch(header, line)
        if match:
            found.append((match, []))
        elif found:
            found[-1][1].append(line)
    return found


def templates(folder):
    """[(area, text)]"""
    read = sections(HERE / folder / "templates.txt", r"\[([a-z-]+)\]")
    return [(m[1], line.replace("\\n", "\n")) for m, lines in read for line in lines if line]


def values(folder):
    """{kind: {class: [value]}}"""
    kinds = {}
    for m, lines in sections(HERE / folder / "values.txt", r"\[([a-z-]+) ([a-z ]+)\]"):
        for kind in m[2].split():
            known = kinds.setdefault(kind, {}).setdefault(m[1], [])
            known.extend({"~empty": "", "~long": LONG}.get(v, v) for v in lines)
    return kinds


def payloads(folder):
    """[(family, how, text)]"""
    read = sections(HERE / folder / "payloads.txt", r"\[([a-z-]+) ([a-z]+)\]")
    return [(m[1], m[2], line) for m, lines in read for line in lines if line or m[2] == "cut"]


def changes(folder):
    """[(kind, before, after)]"""
    path = HERE / folder / "changes.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [tuple(p.strip() for p in line.split(" | ")) for line in lines if line and line[0] != "#"]


def public(folder):
    """[(family, how, text)] of payload lists that somebody else published, one payload a line."""
    found = []
    for path in sorted(pathlib.Path(folder).iterdir()):
        text = path.read_text(encoding="utf-8", errors="replace")
        lines = dict.fromkeys(line.rstrip("\r") for line in text.split("\n"))
        found += [(f"public-{path.stem}", "raw", line) for line in lines if line.strip()]
    return found


def fill(template, given):
    """The template with its places filled in order."""
    given = iter(given)
    return SLOT.sub(lambda _: next(given), template)


def slots(template):
    return SLOT.findall(template)


def place(template, at):
    """(base, place) of a value: what it is quoted with, and where it stands."""
    kinds = slots(template)
    mark = ["7" if k in NUMBERS else "ASC" if k in DIRECTIONS else "Zq" for k in kinds]
    mark[at] = "918273" if kinds[at] in NUMBERS else "ASC" if kinds[at] in DIRECTIONS else "Zq9Zq"
    toks = cosmos.tokens(fill(template, mark))
    if kinds[at] in DIRECTIONS:
        return "ident", "direction"
    here = next(i for i, t in enumerate(toks) if mark[at] in t[1])
    kind, text, _ = toks[here]
    base = {"'": "sq", '"': "dq"}.get(text[0], "num" if kind == "number" else "ident")
    before = [t[1].lower() for t in toks[:here]]
    if base == "ident":
        clause = [w for w in before if w in ("select", "where", "order")][-1]
        return base, clause
    return base, around(before, base)


def around(before, base):
    """The nearest construct that a literal stands in, from the words before it."""
    if before[-1] in ("top", "offset", "limit"):
        return "top" if before[-1] == "top" else "page"
    if before[-1] == "like":
        return "like"
    if before[-1] == "between" or (before[-1] == "and" and "between" in before[-4:]):
        return "between"
    depth = 0
    for n in range(len(before) - 1, -1, -1):
        word = before[n]
        if word in (")", "]", "}"):
            depth += 1
        elif word in ("(", "[", "{") and depth:
            depth -= 1
        elif word == "{":
            return "object"
        elif word == "[":
            return "bracket" if re.fullmatch(r"\w+|\]", before[n - 1]) and base != "num" else "array"
        elif word == "(":
            owner = before[n - 1]
            if owner == "in":
                return "in"
            if re.fullmatch(r"\w+", owner) and owner not in cosmos.KEYWORDS - {"left", "right"}:
                return "function"
            if owner in ("exists", "array") or before[n + 1] == "select":
                return "subquery"
    return "literal"
