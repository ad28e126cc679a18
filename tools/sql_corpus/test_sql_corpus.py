"""The corpus and its evaluator, without the program: `python3 -m unittest discover tools/sql_corpus`."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import attack
import build
import cosmos
import effect
import hand
import lists
import measure

SIZES = {"benign": 12, "attacks": 10, "public": 4, "deployed": 2}
# Stands in for the program: calls a query with OR evidence, and with a template one with a comment.
STUB = """import json, sys
template = "--template" in sys.argv
for line in sys.stdin:
    q = json.loads(line)
    evidence = [{"name": "widening"}] if " OR " in q else [{"name": "info_shape"}]
    if template and "--" in q:
        evidence.append({"name": "lost predicate", "level": "strong"})
    print(json.dumps({"parses": "''" not in q, "evidence": evidence}))
"""
# Stands in for libinjection.
LIB = "import json, sys\nfor line in sys.stdin: print(int('1=1' in json.loads(line)))\n"


def kind(query):
    return cosmos.refusal(query) or "taken"


class ByHand(unittest.TestCase):
    def test_each_query_is_taken_or_refused_as_its_mark_says(self):
        records = list(hand.records())
        self.assertGreater(len(records), 350)
        for record in records:
            refused = record["class"] in ("failed", "benign-error")
            self.assertEqual(bool(record["reason"]), refused, record["query"])

    def test_a_known_query_and_what_is_below_it_are_in_one_half(self):
        halves = {}
        for record in hand.records():
            self.assertEqual(halves.setdefault(record["template"], record["split"]), record["split"])
        self.assertEqual(set(halves.values()), {"tune", "report"})


class Oracle(unittest.TestCase):
    def test_takes_what_the_service_takes(self):
        for query in ("SELECT * FROM c WHERE c.a = 1 -- end", "select value c from c where c.a in (select value 1)",
                      "SELECT c.a ?? 1 AS b FROM c JOIN t IN c.tags WHERE t <> 'x' ORDER BY c.a DESC OFFSET 0 LIMIT 1"):
            self.assertEqual(kind(query), "taken", query)

    def test_says_why_it_refuses(self):
        for query, why in (("SELECT * FROM c WHERE c.n = 'O'Brien'", "syntax"), ("SELECT * FROM c; DROP", "syntax"),
                           ("SELECT * FROM c /* x */", "syntax"), ("SELECT * FROM c WHERE c.a = 'x''y'", "syntax"),
                           ("SELECT * FROM c WHERE SLEEP(5) = 1", "function"), ("SELECT * FROM c WHERE x.a = 1", "name"),
                           ("SELECT * FROM c GROUP BY c.a", "group")):
            self.assertEqual(kind(query), why, query)

    def test_values_do_not_change_the_masked_tree_and_code_does(self):
        def tree(value):
            return cosmos.masked(cosmos.parse(f"SELECT * FROM c WHERE c.a = '{value}'"))
        self.assertEqual(tree("x"), tree("OR 1=1 -- select"))
        self.assertNotEqual(tree("x"), tree("x' OR 1=1 --"))

    def test_effects(self):
        innocent = cosmos.parse("SELECT * FROM c WHERE c.a = 'x' AND c.b = 1")
        for where, expected in (("c.a = 'x' OR 1=1", "widens"), ("c.a = 'x' AND c.b = 1 AND false", "narrows"),
                                ("c.a = 'x' AND c.b = 1 AND 1=1", "same"), ("c.a = 'x'", "widens"),
                                ("c.a = 'x' OR udf.f()", "unknown")):
            attacked = cosmos.parse(f"SELECT * FROM c WHERE {where}")
            self.assertEqual(effect.of(innocent, attacked), expected, where)


class Building(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.corpus = build.build(7, SIZES)

    def test_same_seed_same_corpus(self):
        self.assertEqual(self.corpus.records, build.build(7, SIZES).records)
        self.assertNotEqual(self.corpus.records, build.build(8, SIZES).records)

    def test_every_template_is_taken_by_the_service(self):
        for folder in ("first", "second"):
            for _, text in lists.templates(folder):
                filling = ["7" if k in lists.NUMBERS else "ASC" if k in lists.DIRECTIONS else "x" for k in lists.slots(text)]
                self.assertEqual(kind(lists.fill(text, filling)), "taken", text)

    def test_classes_follow_from_the_tree(self):
        for r in self.corpus.records:
            taken = kind(r["query"]) == "taken"
            self.assertEqual(taken, r["class"] not in ("failed", "benign-error"), r)
            if r["class"] == "injection":
                self.assertNotEqual(cosmos.masked(cosmos.parse(r["query"])), cosmos.masked(cosmos.parse(r["template"])), r)

    def test_nothing_tuned_on_is_reported_and_the_second_collection_is_never_tuned_on(self):
        tune = [r for r in self.corpus.records if r["split"] == "tune"]
        pairs = {(r["template_id"], r["family"]) for r in tune}
        self.assertTrue(tune)
        for r in self.corpus.records:
            if r["split"] == "report":
                self.assertNotIn((r["template_id"], r["family"]), pairs)
        self.assertNotIn("second", {r["collection"] for r in tune})

    def test_a_closing_that_fits_is_found(self):
        target = attack.Target("SELECT * FROM c WHERE (CONTAINS(c.a, '{name}') AND c.b = 1)", 0, ["x"])
        rng = self.corpus.rng("closing")
        value, label, _ = attack.adapted(target, "or", "1=1", rng, 80)
        self.assertEqual(label, "injection", value)

    def test_published_lists_are_read_from_a_folder(self):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "a.txt").write_text("' OR 1=1 --\n\n' OR 1=1 --\n'\n")
            self.assertEqual(lists.public(folder), [("public-a", "raw", "' OR 1=1 --"), ("public-a", "raw", "'")])


class Measuring(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        for name, text in (("stub.py", STUB), ("lib.py", LIB)):
            pathlib.Path(self.folder.name, name).write_text(text)

    def command(self, name):
        return [sys.executable, str(pathlib.Path(self.folder.name, name))]

    def records(self):
        common = {"template": "SELECT 1", "effect": "widens", "context": "sq-literal", "unseen": "both", "reason": "",
                  "collection": "first", "grammar": True}
        return [{**common, "class": "injection", "family": "a", "values": ["x' OR 1=1 --"], "query": "c = 'x' OR 1=1 --'"},
                {**common, "class": "injection", "family": "a", "values": ["x'\n--"], "query": "c = 'x'\n--'"},
                {**common, "class": "benign", "family": "b", "values": [], "query": "c = 'y'"},
                {**common, "class": "benign-error", "family": "c", "values": ["'"], "query": "c = ''' OR "}]

    def test_each_judge_is_asked_and_counted(self):
        records = self.records()
        measure.judge(records, self.command("stub.py"), measure.Rule(), self.command("lib.py"))
        said = [[r["said"][j] for j in measure.JUDGES] for r in records]
        self.assertEqual(said, [[True, True, True, True], [False, True, False, False],
                                [False, False, False, None], [True, True, False, False]])
        table = measure.tables(records)[0][1][0]
        self.assertEqual(table["judges"]["ours alone"]["hits"], 1)
        self.assertEqual(table["judges"]["ours with template"]["hits"], 2)
        self.assertEqual(len(measure.grammar(records)[0]), 1)
        self.assertEqual([r["class"] for r in measure.mistakes(records, "ours with template")], ["benign-error"])

    def test_what_counts_is_a_parameter(self):
        answer = {"evidence": [{"name": "info_shape"}, {"name": "widening", "level": "weak"}]}
        self.assertTrue(measure.Rule().flags(answer))
        self.assertFalse(measure.Rule(excepted=("info*", "wid*")).flags(answer))
        self.assertFalse(measure.Rule(levels=("strong",)).flags(answer))
        self.assertTrue(measure.Rule(names=("widening",), levels=("weak",)).flags(answer))
        self.assertFalse(measure.Rule().flags({"parses": False, "evidence": []}))

    def test_a_program_that_answers_too_little_stops_the_measurement(self):
        pathlib.Path(self.folder.name, "stub.py").write_text("print('{}')\n")
        with self.assertRaisesRegex(measure.Failed, "1 lines for 4 queries"):
            measure.judge(self.records(), self.command("stub.py"), measure.Rule(), None)

    def test_wilson(self):
        low, high = measure.wilson(0, 3000)
        self.assertEqual(low, 0)
        self.assertAlmostEqual(high, 0.00128, places=5)
        low, high = measure.wilson(95, 100)
        self.assertAlmostEqual(low, 0.8882, places=4)
        self.assertAlmostEqual(high, 0.9785, places=4)

    def test_report_queries_need_a_flag(self):
        tool = pathlib.Path(__file__).resolve().parent / "sql_corpus.py"
        done = subprocess.run([sys.executable, str(tool), "measure", "nowhere", "--program", "x", "--mistakes", "ours alone"],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("not printed", done.stderr)


if __name__ == "__main__":
    unittest.main()
