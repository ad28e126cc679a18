#!/usr/bin/env python3
"""Cosmos DB queries, innocent and attacked, and how well judges tell them apart. Standard library only.

    tools/sql_corpus/sql_corpus.py build OUT [--seed N] [--lists DIR]
    tools/sql_corpus/sql_corpus.py hand OUT
    tools/sql_corpus/sql_corpus.py measure OUT --program target/release/cosmoguard [--part tune]

README.md beside this file says what is in the corpus and what the figures mean.
"""
import argparse
import json
import pathlib
import sys

import build
import hand
import measure

SEED = 20_240
SIZES = {"benign": 110, "attacks": 70, "public": 20, "deployed": 8}
HELPER = pathlib.Path(__file__).resolve().parent / "libinjection/target/release/libinjection-judge"


def arguments(given):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("build", help="write OUT/tune.jsonl and OUT/report.jsonl")
    make.add_argument("out", type=pathlib.Path)
    make.add_argument("--seed", type=int, default=SEED)
    make.add_argument("--lists", type=pathlib.Path, help="a folder of public payload lists, one payload a line")
    make.add_argument("--size", type=float, default=1.0, help="how much of the usual number a template (default 1)")
    own = commands.add_parser("hand", help="write OUT/tune.jsonl and OUT/report.jsonl of the collection written by hand")
    own.add_argument("out", type=pathlib.Path)
    meter = commands.add_parser("measure", help="run the judges and print tables")
    meter.add_argument("out", type=pathlib.Path)
    meter.add_argument("--program", required=True, help="the cosmoguard binary")
    meter.add_argument("--part", choices=("tune", "report"), default="report")
    meter.add_argument("--collection", action="append", help="only this one (first, second, public); repeatable")
    meter.add_argument("--names", default="*", help="evidence that counts as flagged: names or globs, with commas")
    meter.add_argument("--except", dest="excepted", default="info*", help="evidence that does not (default info*)")
    meter.add_argument("--levels", default="", help="only evidence of these levels, with commas")
    meter.add_argument("--libinjection", type=pathlib.Path, default=HELPER, help="the helper that was built")
    meter.add_argument("--without-libinjection", action="store_true")
    meter.add_argument("--json", action="store_true", help="the tables as JSON")
    meter.add_argument("--mistakes", choices=measure.JUDGES, help="then the queries that this judge gets wrong")
    meter.add_argument("--differences", action="store_true", help="then the queries on whose grammar the oracle differs")
    meter.add_argument("--show-report-queries", action="store_true",
                       help="allow queries of the report part to be printed; they must not be tuned on after that")
    return parser.parse_args(given)


def words(text):
    return tuple(w for w in text.split(",") if w)


def read(path):
    if not path.exists():
        sys.exit(f"no `{path}`: run `{sys.argv[0]} build {path.parent}` or `… hand {path.parent}` first")
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def build_command(args):
    if args.lists and not args.lists.is_dir():
        sys.exit(f"`{args.lists}` is no folder of payload lists")
    sizes = {name: max(1, round(n * args.size)) for name, n in SIZES.items()}
    corpus = build.build(args.seed, sizes, args.lists)
    build.write(corpus, args.out)
    print("\n".join(build.counts(corpus)))


def hand_command(args):
    print("\n".join(hand.write(args.out)))


def measure_command(args):
    lists_queries = args.mistakes or args.differences
    if lists_queries and args.part == "report" and not args.show_report_queries:
        sys.exit("queries of the report part are not printed: use --part tune, or --show-report-queries and do not tune on them")
    helper = None if args.without_libinjection else [str(args.libinjection)]
    if helper and not args.libinjection.exists():
        sys.exit(f"no `{args.libinjection}`: run `cargo build --release` in tools/sql_corpus/libinjection, or give --without-libinjection")
    records = read(args.out / f"{args.part}.jsonl")
    records = [r for r in records if not args.collection or r["collection"] in args.collection]
    rule = measure.Rule(words(args.names), words(args.excepted), words(args.levels))
    try:
        measure.judge(records, [args.program], rule, helper)
    except (measure.Failed, OSError) as error:
        sys.exit(f"not measured: {error}")
    found = measure.tables(records)
    differ, agreement = measure.grammar(records)
    if args.json:
        print(json.dumps({"part": args.part, "parses": agreement, "tables": [{"heading": h, "rows": r} for h, r in found]}))
    else:
        print(f"part {args.part}, {len(records)} queries, shares in percent with Wilson 95 % intervals")
        print("\n".join(measure.shown(found)))
        print(f"\n{agreement}")
    for record in measure.mistakes(records, args.mistakes) if args.mistakes else []:
        evidence = record["evidence with template" if "template" in args.mistakes else "evidence alone"]
        print(f"{record['class']} {record['family']} {record['context']} {evidence}\n  {json.dumps(record['query'])}")
    for record in differ if args.differences else []:
        print(f"oracle {record['grammar']}, program {record['parses']}\n  {json.dumps(record['query'])}")


def main():
    args = arguments(sys.argv[1:])
    {"build": build_command, "hand": hand_command, "measure": measure_command}[args.command](args)


if __name__ == "__main__":
    main()
