"""The collection written by hand, query by query: no lists of values and payloads, no generator."""
import collections
import json
import pathlib

import cosmos
import lists

HERE = pathlib.Path(__file__).resolve().parent
FILES = ("innocent.txt", "attacks.txt", "releases.txt")
CLASSES = {"=": "benign", "+": "benign", ">": "benign-new-shape", "?": "benign-error", "!": "injection", "~": "failed"}


class Malformed(Exception):
    """A line that is not as the heads of the files say."""


def records(folder=HERE / "hand"):
    """One record a line, as `build` writes them; a known query and all below it are in one part."""
    for name in FILES:
        area = template = None
        for number, line in enumerate((folder / name).read_text(encoding="utf-8").splitlines(), 1):
            if not line or line.startswith("#"):
                continue
            if line.startswith("[") and line.endswith("]"):
                area, template = line[1:-1], None
                continue
            mark, query = marked(line, f"{name}:{number}")
            template = query if mark == "=" else template
            if area is None or template is None:
                raise Malformed(f"{name}:{number}: no [area] or no known query above it")
            yield record(f"{name[:-4]} {area}", mark, query, template)


def marked(line, place):
    text = json.loads(line) if line.startswith('"') else line
    mark, _, query = text.partition(" ")
    if mark not in CLASSES:
        raise Malformed(f"{place}: begins with none of {' '.join(CLASSES)}")
    return mark, query


def record(family, mark, query, template):
    tuned_on = family.startswith("releases ") or lists.share("hand", template) < 0.5
    part = "tune" if tuned_on else "report"
    return {"collection": "hand", "family": family, "context": "-", "class": CLASSES[mark], "query": query,
            "template": template, "template_id": f"h-{lists.digest(template)[:8]}", "area": family, "values": [],
            "effect": "", "reason": cosmos.refusal(query), "split": part, "unseen": "" if part == "tune" else "both",
            "grammar": not cosmos.refusal(query, cosmos.grammar), "id": lists.digest(template, query)[:12]}


def write(out):
    """OUT/tune.jsonl and OUT/report.jsonl; lines that say what they hold."""
    out.mkdir(parents=True, exist_ok=True)
    found = list(records())
    for part in ("tune", "report"):
        chosen = [r for r in found if r["split"] == part]
        (out / f"{part}.jsonl").write_text("".join(json.dumps(r, sort_keys=True) + "\n" for r in chosen), encoding="utf-8")
    table = collections.Counter((r["split"], r["class"]) for r in found)
    return [f"{len(found)} queries"] + [f"{n:>7}  {' '.join(key)}" for key, n in sorted(table.items())]
