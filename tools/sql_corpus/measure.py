"""Measures judges on the corpus: the program alone, the program with the template, libinjection.

Nothing here knows how the program decides: it runs `query` as a user would and reads its lines.
"""
import collections
import fnmatch
import json
import math
import subprocess

JUDGES = ("ours alone", "ours with template", "libinjection whole", "libinjection value")
TIMEOUT_S = 300


class Failed(Exception):
    """The program or libinjection did not answer as agreed."""


class Rule:
    """What of a program's answer counts as flagged."""

    def __init__(self, names=("*",), excepted=("info*",), levels=()):
        self.names, self.excepted, self.levels = names, excepted, levels

    def flags(self, answer):
        return any(self.counts(e) for e in answer.get("evidence") or [])

    def counts(self, evidence):
        name = evidence.get("name", "")
        named = any(fnmatch.fnmatchcase(name, p) for p in self.names)
        spared = any(fnmatch.fnmatchcase(name, p) for p in self.excepted)
        return named and not spared and (not self.levels or evidence.get("level") in self.levels)


def run(command, lines):
    """The command's lines of output, one for each of input."""
    done = subprocess.run(command, input="".join(line + "\n" for line in lines), capture_output=True,
                          text=True, encoding="utf-8", timeout=TIMEOUT_S, check=False)
    answers = done.stdout.splitlines()
    if len(answers) != len(lines):
        said = done.stderr.strip()[-300:]
        raise Failed(f"`{' '.join(command)[:120]}` gave {len(answers)} lines for {len(lines)} queries: {said}")
    return answers


def ours(program, queries, template=None):
    command = program + ["query", "-"] + (["--template", template] if template is not None else [])
    return [json.loads(line) for line in run(command, [json.dumps(q) for q in queries])]


def libinjection(command, texts):
    """Whether each text is an injection; texts are judged once."""
    distinct = list(dict.fromkeys(texts))
    answers = run(command, [json.dumps(t) for t in distinct])
    known = {t: a.strip() == "1" for t, a in zip(distinct, answers)}
    return [known[t] for t in texts]


def judge(records, program, rule, lib):
    """Adds to each record what each judge says: True, False, or None where it has nothing to judge."""
    for record, answer in zip(records, ours(program, [r["query"] for r in records])):
        record["said"] = {"ours alone": rule.flags(answer)}
        record["parses"] = bool(answer.get("parses"))
        record["evidence alone"] = sorted({e.get("name", "") for e in answer.get("evidence") or []})
    groups = collections.defaultdict(list)
    for record in records:
        groups[record["template"]].append(record)
    for template, group in groups.items():
        for record, answer in zip(group, ours(program, [r["query"] for r in group], template)):
            record["said"]["ours with template"] = rule.flags(answer)
            record["evidence with template"] = sorted({e.get("name", "") for e in answer.get("evidence") or []})
    if lib:
        whole = libinjection(lib, [r["query"] for r in records])
        values = [(n, v) for n, r in enumerate(records) for v in r["values"]]
        flagged = {n for (n, _), hit in zip(values, libinjection(lib, [v for _, v in values])) if hit}
        for n, record in enumerate(records):
            record["said"]["libinjection whole"] = whole[n]
            record["said"]["libinjection value"] = (n in flagged) if record["values"] else None


def wilson(hits, n, z=1.959964):
    """The Wilson 95 % interval of a share."""
    if not n:
        return 0.0, 1.0
    p, z2 = hits / n, z * z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = z / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def share(records, name):
    """{"hits", "n", "rate", "low", "high"} of one judge, or None where it judged nothing."""
    said = [r["said"].get(name) for r in records]
    said = [s for s in said if s is not None]
    if not said:
        return None
    hits, n = sum(said), len(said)
    low, high = wilson(hits, n)
    return {"hits": hits, "n": n, "rate": hits / n, "low": low, "high": high}


def row(title, records):
    return {"row": title, "n": len(records), "judges": {j: share(records, j) for j in JUDGES}}


def by(records, key):
    groups = collections.defaultdict(list)
    for record in records:
        groups[record[key]].append(record)
    return sorted(groups.items())


CHANGES_ROWS = ("widens", "narrows", "moves", "reshaped")


def tables(records):
    """[(heading, [row])]: what should be flagged, then what should not."""
    of = {name: [r for r in records if r["class"] == name] for name in
          ("injection", "failed", "harmless", "benign", "benign-new-shape", "benign-error")}
    working = of["injection"]
    changing = [r for r in working if r["effect"] in CHANGES_ROWS]
    overall = [row("all", working), row("changes rows or shape", changing)]
    overall += [row(f"effect: {e}", rs) for e, rs in by(working, "effect")]
    overall += [row(f"collection: {c}", rs) for c, rs in by(working, "collection")]
    overall += [row(f"not seen in tuning: {u or '-'}", rs) for u, rs in by(working, "unseen")]
    found = [("injections that work (share flagged: recall)", overall),
             ("… by family", [row(f, rs) for f, rs in by(working, "family")]),
             ("… by context", [row(c, rs) for c, rs in by(working, "context")]),
             ("attacks that fail (share flagged; what has no evidence is left to the burst)",
              [row("all", of["failed"])] + [row(f"refused for: {w}", rs) for w, rs in by(of["failed"], "reason")]),
             ("attacks that stay a literal (share flagged; harmless)", [row("all", of["harmless"])])]
    for name, heading in (("benign", "innocent values (share flagged: false positives)"),
                          ("benign-new-shape", "newly deployed shapes (share flagged: false positives)"),
                          ("benign-error", "innocent 400s (share flagged: false positives)")):
        found.append((heading, [row("all", of[name])] + [row(f"collection: {c}", rs) for c, rs in by(of[name], "collection")]
                      + [row(f, rs) for f, rs in by(of[name], "family")]))
    return [(heading, [r for r in rows if r["n"]]) for heading, rows in found]


def percent(found):
    if found is None:
        return "-"
    return f"{found['hits']}/{found['n']} {100 * found['rate']:.2f} [{100 * found['low']:.2f}, {100 * found['high']:.2f}]"


def shown(tables_):
    """Markdown."""
    for heading, rows in tables_:
        if not rows:
            continue
        yield ""
        yield f"| {heading} | n | " + " | ".join(JUDGES) + " |"
        yield "|---|---:|" + "---:|" * len(JUDGES)
        for r in rows:
            yield f"| {r['row']} | {r['n']} | " + " | ".join(percent(r["judges"][j]) for j in JUDGES) + " |"


def grammar(records):
    """How far the program and the oracle agree on what parses, and where they do not."""
    differ = [r for r in records if r["parses"] != r["grammar"]]
    return differ, f"parses: the program and the oracle's grammar agree on {len(records) - len(differ)} of {len(records)}"


WRONG = {"injection": False, "benign": True, "benign-new-shape": True, "benign-error": True}


def mistakes(records, name):
    """Records that a judge gets wrong; what fails or stays a literal is neither right nor wrong."""
    return [r for r in records if r["class"] in WRONG and r["said"].get(name) is WRONG[r["class"]]]
