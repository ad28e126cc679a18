"""The oracle's reading of Cosmos DB SQL: a lexer and a recursive-descent parser of its own.

It shares no code with the program that is measured. It reads the published grammar of the client
and what the service takes beyond it (`IN (subquery)`, `<>`, `--` comments), and like the service
refuses names and functions that do not exist. A tree is nested tuples; literals keep their value,
`masked` blanks them, so that two queries of one form have equal masked trees.
"""
import re

KEYWORDS = set(
    "all and array as asc between by desc distinct escape exists false first from group in join "
    "last left like limit not null offset or order rank right select top true udf undefined value "
    "where".split())
# Keywords that the grammar also takes as names.
NAMES_TOO = {"all", "first", "last"}
# Written in lower case only.
LOWER_ONLY = {"false", "null", "true", "udf", "undefined"}

TOKEN = re.compile(r"""
    (?P<space>[ \t\r\n]+|--[^\r\n]*)
  | (?P<number>(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?)
  | (?P<string>"([^"\\\x00-\x1f]|\\(["'\\/bfnrt]|u[0-9a-fA-F]{4}))*"
             |'([^'\\\x00-\x1f]|\\(["'\\/bfnrt]|u[0-9a-fA-F]{4}))*')
  | (?P<name>[A-Za-z_][A-Za-z_0-9]*)
  | (?P<param>@[A-Za-z_][A-Za-z_0-9]*)
  | (?P<op>\|\||\?\?|>>>|>>|<<|<=|>=|<>|!=|[-+*/%&|^~=<>?:.,()\[\]{}])
""", re.X)

FUNCTIONS = set(
    """abs acos array_avg array_concat array_contains array_contains_all array_contains_any array_length
    array_max array_median array_min array_slice array_sum asin atan atn2 avg ceiling choose concat contains
    cos cot count currentdatetime dateadd datebin datediff datepart datetimeadd datetimebin
    datetimediff datetimefromparts datetimepart datetimetoticks datetimetotimestamp degrees
    documentid endswith exp floor fulltextcontains fulltextcontainsall fulltextcontainsany
    fulltextscore getcurrentdatetime getcurrentdatetimestatic getcurrentticks
    getcurrentticksstatic getcurrenttimestamp getcurrenttimestampstatic iif index_of intadd
    intbitand intbitleftshift intbitnot intbitor intbitrightshift intbitxor intdiv intmod intmul
    intsub is_array is_bool is_defined is_finite_number is_integer is_null is_number is_object
    is_primitive is_string lastindexof lasttsubstring left length log log10 lower ltrim max min
    numberbin objecttoarray pi power radians rand regexmatch replace replicate reverse right round rrf rtrim setdifference
    setintersect setunion setequal sign sin sqrt square st_area st_distance st_intersects st_isvalid
    st_isvaliddetailed st_within startswith stringequals stringjoin stringsplit stringtoarray
    stringtoboolean stringtonull stringtonumber stringtoobject substring substring_after
    substring_before sum tan tickstodatetime timestamptodatetime tostring trim trunc upper
    vectordistance""".split())

AGGREGATES = {"count", "sum", "avg", "min", "max"}
ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
DEPTH_MAX = 120


class Refused(Exception):
    """`kind` is `syntax`, `name`, `function` or `group`; the service answers 400 to each."""

    def __init__(self, kind, at):
        super().__init__(f"{kind} at {at}")
        self.kind, self.at = kind, at


def unquote(text):
    def one(m):
        c = m.group(1)
        return chr(int(c[1:], 16)) if c[0] == "u" else ESCAPES.get(c, c)
    return re.sub(r"\\(u[0-9a-fA-F]{4}|.)", one, text[1:-1])


def tokens(query):
    """[(kind, text, start)], ended by an `end` token; kinds: number string name kw param op end."""
    found, at = [], 0
    while at < len(query):
        m = TOKEN.match(query, at)
        if not m:
            raise Refused("syntax", at)
        kind, text = m.lastgroup, m.group()
        if kind == "name":
            low = text.lower()
            if low in KEYWORDS and (low not in LOWER_ONLY or text == low):
                kind, text = "kw", low
        if kind != "space":
            found.append((kind, text, at))
        at = m.end()
    found.append(("end", "", len(query)))
    return found


class Parser:
    def __init__(self, query):
        self.toks, self.i, self.depth = tokens(query), 0, 0

    # --- tokens
    def peek(self, *texts):
        kind, text, _ = self.toks[self.i]
        return kind in ("kw", "op") and text in texts

    def ahead(self, n, *texts):
        kind, text, _ = self.toks[min(self.i + n, len(self.toks) - 1)]
        return kind in ("kw", "op") and text in texts

    def take(self, *texts):
        if self.peek(*texts):
            self.i += 1
            return self.toks[self.i - 1][1]
        return None

    def need(self, *texts):
        return self.take(*texts) or self.refuse()

    def refuse(self):
        raise Refused("syntax", self.toks[self.i][2])

    def kind(self, *kinds):
        kind, text, _ = self.toks[self.i]
        if kind in kinds:
            self.i += 1
            return text
        return None

    def identifier(self):
        name = self.kind("name") or self.take(*NAMES_TOO)
        return name or self.refuse()

    # --- clauses
    def program(self):
        tree = self.query()
        if self.toks[self.i][0] != "end":
            self.refuse()
        return tree

    def query(self):
        self.need("select")
        distinct = bool(self.take("distinct"))
        top = self.count() if self.take("top") else None
        if self.take("*"):
            picked = ("star",)
        elif self.take("value"):
            picked = ("value", self.expr())
        else:
            picked = ("list",) + tuple(self.listed(self.item))
        source = self.source() if self.take("from") else None
        where = self.expr() if self.take("where") else None
        group = order = page = None
        if self.take("group"):
            self.need("by")
            group = tuple(self.listed(self.expr))
        if self.take("order"):
            self.need("by")
            order = self.ordering()
        if self.take("offset"):
            skip = self.count()
            self.need("limit")
            page = (skip, self.count())
        return ("query", distinct, top, picked, source, where, group, order, page)

    def count(self):
        number = self.kind("number")
        if number is not None:
            return ("lit", float(number))
        param = self.kind("param")
        return ("param", param) if param else self.refuse()

    def listed(self, one):
        found = [one()]
        while self.take(","):
            found.append(one())
        return found

    def item(self):
        expr = self.expr()
        return (expr, self.identifier() if self.take("as") else None)

    def ordering(self):
        rank = bool(self.take("rank"))

        def one():
            expr = self.expr()
            if rank and expr[0] not in ("call", "udf"):
                self.refuse()
            return (expr, self.take("asc", "desc") or "asc")
        return (rank,) + tuple(self.listed(one))

    def source(self):
        found = [self.collection()]
        while self.take("join"):
            found.append(self.collection())
        return tuple(found)

    def collection(self):
        if self.take("("):
            inner = ("sub", self.query())
            self.need(")")
        else:
            name = self.identifier()
            if self.take("in"):
                return ("each", name, self.collection())
            inner = ("path", name) + tuple(self.steps())
        alias = None
        if self.take("as"):
            alias = self.identifier()
        elif self.toks[self.i][0] == "name":
            alias = self.identifier()
        return ("from", inner, alias)

    def steps(self):
        while True:
            if self.take("."):
                yield self.identifier()
            elif self.take("["):
                text = self.kind("string", "number") or self.refuse()
                yield unquote(text) if text[0] in "'\"" else float(text)
                self.need("]")
            else:
                return

    # --- expressions, loosest first
    def expr(self):
        self.depth += 1
        if self.depth > DEPTH_MAX:
            self.refuse()
        left = self.disjunction()
        while True:
            if self.take("??"):
                left = ("op", "??", left, self.disjunction())
            elif self.take("?"):
                then = self.expr()
                self.need(":")
                left = ("if", left, then, self.expr())
            else:
                break
        self.depth -= 1
        return left

    def chain(self, ops, below):
        left = below()
        while True:
            op = self.take(*ops)
            if not op:
                return left
            left = ("op", {"<>": "!="}.get(op, op), left, below())

    def disjunction(self):
        return self.chain(("or",), self.conjunction)

    def conjunction(self):
        return self.chain(("and",), self.negation)

    def negation(self):
        if self.take("not"):
            return ("op1", "not", self.negation())
        return self.predicate()

    def predicate(self):
        left = self.chain(("=", "!=", "<>"), self.relation)
        negated = bool(self.peek("not") and self.ahead(1, "in", "between", "like") and self.take("not"))
        if self.take("between"):
            low = self.relation()
            self.need("and")
            left = ("between", left, low, self.relation())
        elif self.take("like"):
            pattern = self.relation()
            escape = None
            if self.take("escape"):
                escape = self.kind("string") or self.refuse()
            left = ("like", left, pattern, escape)
        elif self.take("in"):
            self.need("(")
            if self.peek("select"):
                left = ("in", left, self.query())
            else:
                left = ("in", left) + tuple(self.listed(self.expr))
            self.need(")")
        elif negated:
            self.refuse()
        return ("op1", "not", left) if negated else left

    def relation(self):
        return self.chain(("<", ">", "<=", ">="), self.bit_or)

    def bit_or(self):
        return self.chain(("|", "^", "&", "||"), self.shift)

    def shift(self):
        return self.chain(("<<", ">>", ">>>"), self.sum)

    def sum(self):
        return self.chain(("+", "-"), self.product)

    def product(self):
        return self.chain(("*", "/", "%"), self.unary)

    def unary(self):
        op = self.take("-", "+", "~", "not")
        if not op:
            return self.postfix()
        inner = self.unary()
        if op in "-+" and inner[0] == "lit" and isinstance(inner[1], float):
            return ("lit", -inner[1] if op == "-" else inner[1])
        return ("op1", op, inner)

    def postfix(self):
        left = self.primary()
        while True:
            if self.take("."):
                left = ("dot", left, ("lit", self.identifier(), "name"))
            elif self.take("["):
                inner = self.expr()
                if inner[0] == "lit" and isinstance(inner[1], str):
                    inner = ("lit", inner[1], "name")
                left = ("dot", left, inner)
                self.need("]")
            else:
                return left

    def subquery(self):
        self.need("(")
        inner = self.query()
        self.need(")")
        return inner

    def arguments(self):
        self.need("(")
        found = () if self.peek(")") else tuple(self.listed(self.expr))
        self.need(")")
        return found

    def primary(self):
        kind, text, at = self.toks[self.i]
        if kind in ("number", "string", "param"):
            self.i += 1
            if kind == "param":
                return ("param", text)
            return ("lit", float(text) if kind == "number" else unquote(text))
        for word, value in (("true", True), ("false", False), ("null", None), ("undefined", UNDEFINED)):
            if self.take(word):
                return ("lit", value)
        if self.take("("):
            inner = ("sub", self.query()) if self.peek("select") else self.expr()
            self.need(")")
            return inner
        if self.take("["):
            found = () if self.peek("]") else tuple(self.listed(self.expr))
            self.need("]")
            return ("array",) + found
        if self.take("{"):
            found = () if self.peek("}") else tuple(self.listed(self.member))
            self.need("}")
            return ("object",) + found
        if self.peek("exists", "array") or self.peek(*NAMES_TOO) and self.ahead(1, "(") and self.ahead(2, "select"):
            word = self.take("exists", "array", "all", "first", "last")
            return ("subquery", word, self.subquery())
        if self.take("udf"):
            self.need(".")
            return ("udf", self.identifier()) + self.arguments()
        if self.peek("left", "right"):
            return ("call", self.take("left", "right")) + self.arguments()
        name = self.identifier()
        if self.peek("("):
            return ("call", name.lower()) + self.arguments()
        return ("ref", name, at)

    def member(self):
        key = self.kind("string") or self.refuse()
        self.need(":")
        return (unquote(key), self.expr())


class Undefined:
    def __repr__(self):
        return "undefined"


UNDEFINED = Undefined()


def subtrees(tree):
    yield tree
    if isinstance(tree, tuple):
        for part in tree:
            if isinstance(part, tuple):
                yield from subtrees(part)


def bound_names(query):
    """Names that a query's FROM and SELECT bring into scope."""
    names = set()
    for one in query[4] or ():
        if one[0] == "each":
            names.add(one[1])
        elif one[2]:
            names.add(one[2])
        elif one[1][0] == "path":
            names.add(str(one[1][-1]))
    return names


def resolve(query, outer=frozenset(), top=True):
    """Raises for a name that nothing binds; only the outermost FROM names the container freely."""
    names = set(outer)
    for n, one in enumerate(query[4] or ()):
        inner = one[2] if one[0] == "each" else one
        if inner[1][0] == "sub":
            resolve(inner[1][1], names, top and n == 0)
        elif not (top and n == 0) and inner[1][1] not in names:
            raise Refused("name", 0)
        names |= bound_names(("", 0, 0, 0, (one,)))
    aliases = {alias for _, alias in query[3][1:] if alias} if query[3][0] == "list" else set()
    for place in (query[3], query[5], query[6]):
        check_names(place, names)
    check_names(query[7], names | aliases)
    if query[6] and not groups(query):
        raise Refused("group", 0)
    return query


def groups(query):
    """Whether what is selected is grouped by, aggregated or constant."""
    picked = query[3]
    if picked[0] == "star":
        return False
    exprs = [picked[1]] if picked[0] == "value" else [expr for expr, _ in picked[1:]]
    return all(grouped(expr, query[6]) for expr in exprs)


def grouped(expr, keys):
    if expr in keys or expr[:1] == ("call",) and expr[1] in AGGREGATES:
        return True
    parts = [p for p in expr if isinstance(p, tuple) and p[:1] != ("lit",)]
    if expr[0] == "object":
        parts = [p for _, p in expr[1:]]
    return bool(parts) and all(grouped(p, keys) for p in parts) or expr[0] == "lit"


def check_names(tree, names):
    if not isinstance(tree, tuple):
        return
    if tree and tree[0] == "query":
        resolve(tree, names, False)
        return
    if tree and tree[0] == "call" and tree[1] not in FUNCTIONS:
        raise Refused("function", 0)
    if tree and tree[0] == "ref":
        if tree[1] not in names:
            raise Refused("name", tree[2])
        return
    for part in tree:
        check_names(part, names)


def grammar(query):
    """The tree that the grammar alone gives; raises [`Refused`] of kind `syntax`."""
    try:
        return strip_places(Parser(query).program())
    except RecursionError:
        raise Refused("syntax", 0) from None


def parse(query):
    """The tree of a query that the service takes; raises [`Refused`]."""
    return resolve(grammar(query))


def refusal(query, reader=parse):
    """Why a query is refused, in a word; nothing where it is taken."""
    try:
        reader(query)
        return ""
    except Refused as refused:
        return refused.kind


def strip_places(tree):
    if not isinstance(tree, tuple):
        return tree
    if len(tree) == 3 and tree[0] == "ref":
        return ("ref", tree[1], 0)
    return tuple(strip_places(part) for part in tree)


def masked(tree):
    """The tree with its values blanked."""
    if not isinstance(tree, tuple):
        return tree
    if len(tree) == 2 and tree[0] == "lit":
        return ("lit",)
    return tuple(masked(part) for part in tree)
