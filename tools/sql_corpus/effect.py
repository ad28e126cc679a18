"""What an injection does to the rows of a query: both are run over documents made up for them.

A small evaluator of WHERE over joined rows, with Cosmos DB's undefined. Aggregates and projections
of the outermost query are not run: `reshaped` says that something other than the rows changed.
"""
import json
import math
import random
import re

import cosmos
import lists
from cosmos import UNDEFINED

DOCUMENTS = 32


class Unknown(Exception):
    """Something that this evaluator does not compute."""


def of(innocent, attacked):
    """widens, narrows, same, moves (other rows), reshaped, or unknown."""
    shape = [innocent[:4] + innocent[4:5] + innocent[6:], attacked[:4] + attacked[4:5] + attacked[6:]]
    reshaped = cosmos.masked(shape[0]) != cosmos.masked(shape[1])
    if innocent[4] != attacked[4]:
        return "reshaped"
    try:
        documents = made_up(innocent, attacked)
        before, after = (matching(tree, documents) for tree in (innocent, attacked))
    except (Unknown, OverflowError, ValueError, re.error, RecursionError):
        return "unknown"
    if before == after:
        return "reshaped" if reshaped else "same"
    return "widens" if before < after else "narrows" if after < before else "moves"


def matching(tree, documents):
    found = set()
    for n, document in enumerate(documents):
        for m, row in enumerate(rows(tree[4] or (), {}, document)):
            if tree[5] is None or value(tree[5], row) is True:
                found.add((n, m))
    return found


def rows(source, outer, document):
    """Environments: name to value, one for each combination of a join."""
    found = [dict(outer)]
    for n, one in enumerate(source):
        found = [row for env in found for row in bound(one, env, document if n == 0 else None)]
    return found


def bound(one, env, document):
    each, collection = one[0] == "each", one[2] if one[0] == "each" else one
    inner = collection[1]
    if inner[0] == "sub":
        items = [result for result in results(inner[1], env, document)]
        name = collection[2] or "_"
        return [{**env, name: item} for item in items]
    start, steps = inner[1], inner[2:]
    here = env[start] if start in env else document
    for step in steps:
        here = member(here, step)
    name = one[1] if each else collection[2] or str(inner[-1])
    if each:
        return [{**env, name: item} for item in here] if isinstance(here, list) else []
    return [{**env, name: here}] if here is not UNDEFINED else []


def results(query, env, document=None):
    """Projected values of a subquery."""
    picked, matched = query[3], [r for r in rows(query[4] or (), env, document) if query[5] is None or value(query[5], r) is True]
    if picked[0] == "value" and picked[1][0] == "call" and picked[1][1] in ("count", "sum", "avg", "min", "max"):
        return [aggregate(picked[1][1], [value(picked[1][2], r) for r in matched])]
    if picked[0] == "value":
        return [v for v in (value(picked[1], r) for r in matched) if v is not UNDEFINED]
    if picked[0] == "list":
        return [{alias or str(expr[-1][1]): value(expr, r) for expr, alias in picked[1:]} for r in matched]
    return [dict(r) for r in matched]


def aggregate(name, found):
    found = [v for v in found if v is not UNDEFINED]
    if name == "count":
        return float(len(found))
    if not found or not all(isinstance(v, float) for v in found):
        return UNDEFINED
    return {"sum": sum, "min": min, "max": max, "avg": lambda v: sum(v) / len(v)}[name](found)


def member(here, key):
    if isinstance(here, dict) and isinstance(key, str):
        return here.get(key, UNDEFINED)
    if isinstance(here, list) and isinstance(key, float) and 0 <= key < len(here):
        return here[int(key)]
    return UNDEFINED


def sort_of(v):
    return "undefined" if v is UNDEFINED else type(v).__name__


def compare(op, a, b):
    if a is UNDEFINED or b is UNDEFINED:
        return UNDEFINED
    if op in ("=", "!="):
        return (sort_of(a) == sort_of(b) and a == b) is (op == "=")
    if sort_of(a) != sort_of(b) or not isinstance(a, (str, float, bool)):
        return UNDEFINED
    return {"<": a < b, ">": a > b, "<=": a <= b, ">=": a >= b}[op]


def logic(op, a, b):
    decisive = op == "or"
    if a is decisive or b is decisive:
        return decisive
    return (not decisive) if isinstance(a, bool) and isinstance(b, bool) else UNDEFINED


def arithmetic(op, a, b):
    if op == "||":
        return a + b if isinstance(a, str) and isinstance(b, str) else UNDEFINED
    if not (type(a) is float and type(b) is float):
        return UNDEFINED
    if op in ("/", "%") and b == 0:
        return UNDEFINED
    if op in ("|", "&", "^", "<<", ">>", ">>>"):
        a, b = int(a), int(b) % 64 if op[0] in "<>" else int(b)
        return float({"|": a | b, "&": a & b, "^": a ^ b, "<<": a << b, ">>": a >> b, ">>>": a >> b}[op])
    return {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else 0.0, "%": math.fmod(a, b) if b else 0.0}[op]


def negated(v):
    return (not v) if isinstance(v, bool) else UNDEFINED


def value(tree, env):
    return KINDS[tree[0]](tree, env)


def operator(tree, env):
    op, a, b = tree[1], value(tree[2], env), value(tree[3], env)
    if op == "??":
        return b if a is UNDEFINED else a
    if op in ("and", "or"):
        return logic(op, a, b)
    return compare(op, a, b) if op in ("=", "!=", "<", ">", "<=", ">=") else arithmetic(op, a, b)


def prefix(tree, env):
    v = value(tree[2], env)
    if tree[1] == "not":
        return negated(v)
    if type(v) is not float:
        return UNDEFINED
    return {"-": -v, "+": v, "~": float(~int(v))}[tree[1]]


def like(tree, env):
    text, pattern = value(tree[1], env), value(tree[2], env)
    if not (isinstance(text, str) and isinstance(pattern, str)):
        return UNDEFINED
    parts = re.findall(r"\[[^\]]*\]|.", pattern, re.S)
    made = "".join(".*" if p == "%" else "." if p == "_" else p if len(p) > 1 else re.escape(p) for p in parts)
    return re.fullmatch(made, text, re.S) is not None


def among(tree, env):
    wanted = value(tree[1], env)
    found = results(tree[2], env) if tree[2][0] == "query" else [value(v, env) for v in tree[2:]]
    return UNDEFINED if wanted is UNDEFINED else any(compare("=", wanted, v) is True for v in found)


def between(tree, env):
    v, low, high = (value(part, env) for part in tree[1:])
    return logic("and", compare(">=", v, low), compare("<=", v, high))


def nested(tree, env):
    found = results(tree[2], env)
    if tree[1] == "exists":
        return bool(found)
    if tree[1] == "array":
        return found
    raise Unknown(tree[1])


def scalar(tree, env):
    found = results(tree[1], env)
    return found[0] if found else UNDEFINED


def unknown(tree, _env):
    raise Unknown(tree[0])


def strings(count, then):
    def call(*given):
        wanted = given[:count]
        return then(*given) if all(isinstance(v, str) for v in wanted) else UNDEFINED
    return call


def folded(then):
    return strings(2, lambda a, b, fold=False: then(a.lower(), b.lower()) if fold is True else then(a, b))


def cut(a, start, length):
    return a[int(start):int(start) + int(length)] if type(start) is float and type(length) is float else UNDEFINED


def typed(*types):
    return lambda v: v is not UNDEFINED and type(v) in types


def listed(then):
    return lambda a, *more: then(a, *more) if isinstance(a, list) else UNDEFINED


def partly(item, wanted):
    return isinstance(item, dict) and isinstance(wanted, dict) and all(item.get(k, UNDEFINED) == v for k, v in wanted.items())


def numeric(then):
    return lambda *given: then(*given) if all(type(v) is float for v in given) else UNDEFINED


CALLS = {
    "contains": folded(lambda a, b: b in a), "startswith": folded(str.startswith), "endswith": folded(str.endswith),
    "stringequals": folded(lambda a, b: a == b), "lower": strings(1, str.lower), "upper": strings(1, str.upper),
    "length": strings(1, lambda a: float(len(a))), "reverse": strings(1, lambda a: a[::-1]),
    "trim": strings(1, str.strip), "concat": strings(99, lambda *a: "".join(a)), "substring": strings(1, cut),
    "left": strings(1, lambda a, n: cut(a, 0.0, n)), "replace": strings(3, str.replace),
    "right": strings(1, lambda a, n: a[-int(n):] if n else ""),
    "index_of": strings(2, lambda a, b, *_: float(a.find(b))),
    "regexmatch": strings(2, lambda a, b, *f: re.search(b, a, re.I if f and "i" in f[0] else 0) is not None),
    "is_defined": lambda v: v is not UNDEFINED, "is_null": lambda v: v is None, "is_string": typed(str),
    "is_number": typed(float), "is_bool": typed(bool), "is_object": typed(dict), "is_array": typed(list),
    "is_primitive": typed(str, float, bool, type(None)), "is_integer": lambda v: type(v) is float and v == int(v),
    "array_length": listed(lambda a: float(len(a))),
    "array_contains": listed(lambda a, v, part=False: v in a or (part is True and any(partly(i, v) for i in a))),
    "abs": numeric(abs), "floor": numeric(lambda a: float(math.floor(a))), "power": numeric(lambda a, b: a**b),
    "iif": lambda c, a, b: a if c is True else b,
    "tostring": lambda v: UNDEFINED if v is UNDEFINED else v if isinstance(v, str) else json.dumps(v, default=str),
}


def call(tree, env):
    then = CALLS.get(tree[1])
    if not then:
        raise Unknown(tree[1])
    try:
        return then(*(value(v, env) for v in tree[2:]))
    except TypeError:
        raise Unknown(tree[1]) from None


KINDS = {
    "lit": lambda t, _: t[1], "param": lambda t, _: t[1], "ref": lambda t, env: env.get(t[1], UNDEFINED),
    "dot": lambda t, env: member(value(t[1], env), value(t[2], env)), "op": operator, "op1": prefix, "like": like,
    "in": among, "between": between, "subquery": nested, "sub": scalar, "call": call, "udf": unknown,
    "if": lambda t, env: value(t[2] if value(t[1], env) is True else t[3], env),
    "array": lambda t, env: [v for v in (value(p, env) for p in t[1:]) if v is not UNDEFINED],
    "object": lambda t, env: {k: v for k, v in ((k, value(p, env)) for k, p in t[1:]) if v is not UNDEFINED},
}


# --- documents in which the conditions of both queries have something to bite on

def path_of(tree):
    """(root, [names]) of `c.a.b`, else None."""
    names = []
    while isinstance(tree, tuple) and tree[:1] == ("dot",) and isinstance(tree[2], tuple) and len(tree[2]) == 3:
        names.insert(0, tree[2][1])
        tree = tree[1]
    return (tree[1], names) if isinstance(tree, tuple) and tree[:1] == ("ref",) else None


def aliases(tree):
    """Name to path from the document's root; `[]` steps into an array."""
    found = {}
    for query in [t for t in cosmos.subtrees(tree) if isinstance(t, tuple) and t[:1] == ("query",)]:
        for one in query[4] or ():
            each, collection = one[0] == "each", one[2] if one[0] == "each" else one
            if collection[1][0] != "path":
                continue
            start, steps = collection[1][1], [str(s) for s in collection[1][2:]]
            at = found.get(start, []) + steps + (["[]"] if each else [])
            found[one[1] if each else collection[2] or str(collection[1][-1])] = at
    return found


def made_up(*trees):
    pairs, pool, arrays = {}, {"admin", "p", "zz", 1.0, 0.0, 7.5, True, False, None}, set()
    for tree in trees:
        names = aliases(tree)
        for part in cosmos.subtrees(tree):
            if not isinstance(part, tuple):
                continue
            path = path_of(part)
            if path and path[0] in names:
                pairs.setdefault(tuple(names[path[0]] + path[1]), set())
            if part[:1] == ("lit",) and len(part) == 2 and isinstance(part[1], (str, float)):
                pool.add(part[1].strip("%_") if isinstance(part[1], str) else part[1])
            if part[:1] in (("op",), ("between",), ("like",), ("in",), ("call",)):
                note(part, names, pairs, arrays)
    rng = random.Random(int(lists.digest(repr(trees))[:12], 16))
    pool = sorted(pool, key=repr)
    return [document(pairs, pool, arrays, n, rng) for n in range(DOCUMENTS)]


def note(part, names, pairs, arrays):
    """Which values a path is compared with, and which paths hold arrays."""
    paths = [p for p in map(path_of, part[1:]) if p and p[0] in names]
    given = {v[1] for v in part[1:] if isinstance(v, tuple) and v[:1] == ("lit",) and len(v) == 2 and v[1] is not UNDEFINED}
    given |= {v[1] for v in part[1:] if isinstance(v, tuple) and v[:1] == ("param",)}
    for root, steps in paths:
        key = tuple(names[root] + steps)
        if part[0] == "call" and part[1].startswith("array_"):
            arrays.add(key)
        pairs.setdefault(key, set()).update(v.strip("%") if isinstance(v, str) else v for v in given)


def document(pairs, pool, arrays, n, rng):
    made = {"id": f"d{n}", "_ts": 1.7e9 + n, "_rid": f"r{n}", "_etag": f"e{n}"}
    for path in sorted(pairs, key=repr):
        if path and path[0] not in made or len(path) > 1:
            wanted = sorted(pairs[path], key=repr)
            leaf = rng.choice(wanted) if wanted and rng.random() < 0.55 else rng.choice(pool)
            if rng.random() > 0.12:
                put(made, path, [leaf, rng.choice(pool)] if path in arrays else leaf)
    return made


def put(here, path, leaf):
    for n, step in enumerate(path):
        last, into = n == len(path) - 1, n + 1 < len(path) and path[n + 1] == "[]"
        if step == "[]":
            here = here[0] if isinstance(here, list) and here and isinstance(here[0], dict) else None
        elif isinstance(here, dict) and last:
            here.setdefault(step, leaf)
        elif isinstance(here, dict):
            array = into and n + 2 == len(path)
            here = here.setdefault(step, [leaf] if array else [{}] if into else {})
            if array:
                return
        if here is None:
            return
