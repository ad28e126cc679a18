"""Builds the corpus from the hand-written lists; the same seed gives the same bytes."""
import collections
import json
import math
import random

import attack
import cosmos
import lists

TUNE_SHARE = 0.4
# Ways that need a value to break out of; a name has none.
ATTACK_HOWS = ("or", "and", "cut")


class Corpus:
    def __init__(self, seed):
        self.seed, self.records, self.seen, self.dropped = seed, [], set(), collections.Counter()

    def rng(self, *parts):
        return random.Random(int(lists.digest(str(self.seed), *parts)[:16], 16))

    def add(self, **record):
        key = (record["template"], record["query"])
        if key in self.seen:
            self.dropped["repeated"] += 1
            return
        self.seen.add(key)
        record["split"], record["unseen"] = split(record["collection"], record["template_id"], record["family"])
        record["grammar"] = not cosmos.refusal(record["query"], cosmos.grammar)
        record["id"] = lists.digest(*key)[:12]
        self.records.append(record)


def split(collection, template_id, family):
    """tune where both template and family are of the tuning part (40 % of pairs), else report.

    What of a report record was never seen in tuning: its template, its family, or both.
    """
    if collection == "second":
        return "report", "both"
    limit = math.sqrt(TUNE_SHARE)
    template, kind = lists.share("template", template_id) < limit, lists.share("family", family) < limit
    if template and kind:
        return "tune", ""
    return "report", "family" if template else "template" if kind else "both"


def template_id(collection, text):
    return f"{collection[0]}-{lists.digest(text)[:8]}"


def plain(kinds, known, rng):
    def one(kind):
        classes = known[kind]
        return rng.choice(classes.get("plain") or classes["number"])
    return [one(kind) for kind in kinds]


def benign(corpus, collection, area, text, known, count):
    """Ordinary fillings, and one odd value at a time in each place that may carry it."""
    kinds, rng = lists.slots(text), corpus.rng("benign", collection, text)
    base = lists.fill(text, plain(kinds, known, rng))
    common = dict(collection=collection, template_id=template_id(collection, text), area=area, template=base)
    if not kinds:
        corpus.add(**common, context="none", family=area, values=[], query=text, **{"class": "benign"}, reason="as written", effect="")
        return
    fillings = [("plain", 0, plain(kinds, known, rng)) for _ in range(count // 4)]
    odd = [(n, c) for n, k in enumerate(kinds) for c in known[k] if c not in ("plain", "number")]
    for _ in range(count - len(fillings) if odd else 0):
        n, family = rng.choice(odd)
        filling = plain(kinds, known, rng)
        filling[n] = rng.choice(known[kinds[n]][family])
        fillings.append((family, n, filling))
    for family, n, filling in fillings:
        query = lists.fill(text, filling)
        try:
            same = cosmos.masked(cosmos.parse(query)) == innocent(text, kinds, filling, known)
            label, reason = "benign", "literal"
        except cosmos.Refused as refused:
            same, label, reason = True, "benign-error", refused.kind
        if not same:
            corpus.dropped["innocent text that changes the query"] += 1
            continue
        corpus.add(**common, context="-".join(lists.place(text, n)), family=family, values=[filling[n]],
                   query=query, **{"class": label}, reason=reason, effect="")


def innocent(text, kinds, filling, known):
    """The masked tree with other values and the same names."""
    other = [v if k in lists.NAMES else next(iter(known[k].values()))[0] for k, v in zip(kinds, filling)]
    return cosmos.masked(cosmos.parse(lists.fill(text, other)))


def deployed(corpus, collection, kind, before, after, known, count):
    rng = corpus.rng("deployed", before, after)
    old = lists.fill(before, plain(lists.slots(before), known, rng))
    for _ in range(count):
        query = lists.fill(after, plain(lists.slots(after), known, rng))
        cosmos.parse(query)
        corpus.add(collection=collection, template_id=template_id(collection, before + after), area="release",
                   template=old, context="none", family=kind, values=[], query=query,
                   **{"class": "benign-new-shape"}, reason="release", effect="")


def chosen(rows, kind, place, count, rng):
    """`count` payloads that can go to a place, families taken in turn."""
    fits = collections.defaultdict(list)
    for family, how, text in rows:
        if how == "raw" or (how in ATTACK_HOWS and kind not in lists.NAMES) or how == place:
            fits[family].append((family, how, text))
    picked = []
    for family in sorted(fits):
        rng.shuffle(fits[family])
    while fits and len(picked) < count:
        for family in sorted(fits):
            if fits[family] and len(picked) < count:
                picked.append(fits[family].pop())
            elif not fits[family]:
                del fits[family]
    return picked


def attacked(corpus, collection, area, text, known, rows, count, tries=14):
    kinds, rng = lists.slots(text), corpus.rng("attack", collection, text)
    if not kinds:
        return
    common = dict(collection=collection, template_id=template_id(collection, text), area=area)
    filling = plain(kinds, known, rng)
    weights = [4 if k not in lists.NUMBERS else 3 for k in kinds]
    per_slot = collections.Counter(rng.choices(range(len(kinds)), weights, k=count))
    for at, n in sorted(per_slot.items()):
        target = attack.Target(text, at, filling)
        for family, how, core in chosen(rows, kinds[at], target.place, n, rng):
            gap = " "
            if how in ATTACK_HOWS and core and rng.random() < 0.12:
                core, family = attack.obfuscated(core, rng), "obfuscated"
                nested = rng.choice([0, 0, 1, 3]) if how != "cut" else 0
                core = "(" * nested + core + ")" * nested
                gap = rng.choice([" ", "\t", "\n", "  ", " --\n"])
            value, label, reason = attack.adapted(target, how, core, rng, tries, gap)
            query = target.query(value)
            corpus.add(**common, template=lists.fill(text, filling), context=f"{target.base}-{target.place}",
                       family=family, values=[value], query=query, **{"class": label}, reason=reason,
                       effect=target.effect(query, value) if label == "injection" else "")
    swallowed(corpus, common, text, filling, rng)


def swallowed(corpus, common, text, filling, rng):
    """A backslash at the end of one literal swallows its quote; the next one's text becomes code."""
    places = [(n, *lists.place(text, n)) for n in range(len(filling))]
    pairs = [(a, b) for a, b in zip(places, places[1:]) if a[1] == b[1] and a[1] in attack.QUOTE and attack.QUOTE[a[1]]]
    for first, second in pairs[:1]:
        target = attack.Target(text, second[0], filling)
        for core in ("OR 1=1 --", f"OR {target.root}.id = {target.root}.id --", f"OR IS_DEFINED({target.root}.id) --",
                     "--", ") OR true --", f"OR STARTSWITH({target.root}.id, {attack.QUOTE[first[1]]}"):
            value = ("," if first[2] == "in" else "") + " " + core
            given = list(filling)
            given[first[0]], given[second[0]] = "x\\", value
            query = lists.fill(text, given)
            label, reason = target.judge(query, value)
            corpus.add(**common, template=lists.fill(text, filling), context=f"{first[1]}-{first[2]}",
                       family="backslash", values=["x\\", value], query=query, **{"class": label}, reason=reason,
                       effect=target.effect(query, value) if label == "injection" else "")


def collection(corpus, name, folder, sizes, public):
    known, rows = lists.values(folder), lists.payloads(folder)
    for area, text in lists.templates(folder):
        benign(corpus, name, area, text, known, sizes["benign"])
        attacked(corpus, name, area, text, known, rows, sizes["attacks"])
        if public:
            attacked(corpus, "public", area, text, known, public, sizes["public"])
    for kind, before, after in lists.changes(folder):
        deployed(corpus, name, kind, before, after, known, sizes["deployed"])


def build(seed, sizes, public_folder=None):
    corpus = Corpus(seed)
    collection(corpus, "first", "first", sizes, lists.public(public_folder) if public_folder else [])
    collection(corpus, "second", "second", sizes, [])
    return corpus


def write(corpus, out):
    out.mkdir(parents=True, exist_ok=True)
    for part in ("tune", "report"):
        with open(out / f"{part}.jsonl", "w", encoding="utf-8") as file:
            for record in corpus.records:
                if record["split"] == part:
                    file.write(json.dumps(record, ensure_ascii=True, sort_keys=True) + "\n")


def counts(corpus):
    """Lines that say what was built."""
    table = collections.Counter((r["split"], r["collection"], r["class"]) for r in corpus.records)
    yield f"{len(corpus.records)} queries, seed {corpus.seed}"
    for key, n in sorted(table.items()):
        yield f"{n:>7}  {' '.join(key)}"
    for why, n in sorted(corpus.dropped.items()):
        yield f"{n:>7}  left out: {why}"
