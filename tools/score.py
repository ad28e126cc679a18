#!/usr/bin/env python3
"""Scores alerts against the labels of a simulated fleet. Standard library only.

    cosmoguard simulate fleet --seed 11
    cosmoguard replay fleet --tor-exits fleet/tor-exits.txt --threat-ips fleet/threat-ips.txt --alerts alerts.jsonl
    tools/score.py fleet/labels.json alerts.jsonl [--json] [--show-false N] [--show-missed]

Rules, strict on purpose:
- An attack is found only by an alert of exactly its kind on one of its accounts that was generated
  after the attack's first moment and whose own span [startTimeUtc, endTimeUtc] meets the attack's
  (lists and keys: until 1 h after its end; volume: until 24 h after it, the longest window).
- A sweep over several accounts is found by one alert; the share of its accounts that alerts name is
  printed too.
- An alert of a kind in the attack's `also` list is neither found nor false.
- `Cosmoguard_…` kinds are right wherever any attack on that account is under way, else false.
- Every other alert is false. Lines that share an id are one alert with the highest severity.
- Rates are per account-month (30.4 days) of the whole run, and of the time after the warm-up.
  The bound is the upper end of the exact two-sided 95 % Poisson interval.
"""
import argparse
import collections
import datetime
import json
import math
import sys

SEVERITIES = ["Informational", "Low", "Medium", "High"]
VOLUME = "CosmosDB_DataExfiltrationAnomaly"


def when(text):
    """Seconds since the epoch of an RFC 3339 time with any fraction."""
    head, _, _ = text.rstrip("Z").partition(".")
    return datetime.datetime.fromisoformat(head).replace(tzinfo=datetime.timezone.utc).timestamp()


def poisson_upper(n):
    """Upper end of the exact two-sided 95 % interval for a Poisson mean after n events."""
    low, high = float(n), 3.0 * n + 20.0
    for _ in range(100):
        mean = (low + high) / 2
        term = total = math.exp(-mean)
        for k in range(1, n + 1):
            term *= mean / k
            total += term
        low, high = (mean, high) if total > 0.025 else (low, mean)
    return high


def read_alerts(path):
    """Alerts by id: the earliest generation time, the highest severity."""
    alerts = {}
    source = sys.stdin if path == "-" else open(path, encoding="utf-8")
    with source:
        for line in source:
            if not line.strip():
                continue
            raw = json.loads(line)
            p = raw["properties"]
            accounts = {p["compromisedEntity"].rsplit("/", 1)[-1].lower()}
            for item in p.get("resourceIdentifiers", []):
                arm = item.get("azureResourceId", "")
                if "/databaseaccounts/" in arm.lower():
                    accounts.add(arm.rsplit("/", 1)[-1].lower())
            alert = {
                "id": raw["name"],
                "kind": p["alertType"],
                "severity": p["severity"],
                "accounts": accounts,
                "start": when(p["startTimeUtc"]),
                "end": when(p["endTimeUtc"]),
                "made": when(p["timeGeneratedUtc"]),
                "reason": p.get("extendedProperties", {}).get("Severity reason", ""),
            }
            old = alerts.get(alert["id"])
            if old:
                alert["made"] = min(alert["made"], old["made"])
                alert["start"] = min(alert["start"], old["start"])
                alert["end"] = max(alert["end"], old["end"])
                alert["accounts"] |= old["accounts"]
                alert["severity"] = max(alert["severity"], old["severity"], key=SEVERITIES.index)
            alerts[alert["id"]] = alert
    return list(alerts.values())


def meets(alert, attack):
    """The alert is about this attack's accounts and time."""
    grace = 86_400 if alert["kind"] == VOLUME else 3_600
    return (
        not alert["accounts"].isdisjoint(attack["names"])
        and alert["made"] >= attack["from"]
        and alert["end"] >= attack["from"]
        and alert["start"] <= attack["until"] + grace
    )


def judge(labels, alerts):
    """Splits alerts into hits and false ones; fills each attack's `hits`."""
    for attack in labels["attacks"]:
        attack["names"] = {a.lower() for a in attack["accounts"]}
        attack["from"], attack["until"] = when(attack["start"]), when(attack["end"])
        attack["hits"] = []
    false = []
    for alert in alerts:
        right = False
        for attack in labels["attacks"]:
            if not meets(alert, attack):
                continue
            if alert["kind"] == attack["kind"]:
                attack["hits"].append(alert)
                right = True
            elif alert["kind"] in attack["also"] or alert["kind"].startswith("Cosmoguard_"):
                right = True
        if not right:
            false.append(alert)
    return false


def beside(labels, alert):
    """The unusual but benign episode that a false alert may be about."""
    for e in labels["benignExceptions"]:
        if e["account"].lower() in alert["accounts"]:
            if when(e["start"]) - 3600 <= alert["end"] and alert["start"] <= when(e["end"]) + 86_400:
                return e["kind"]
    return ""


def recall_table(attacks, key):
    """(name, found, all, median minutes to the first alert) for each value of key."""
    groups = collections.defaultdict(list)
    for attack in attacks:
        groups[key(attack)].append(attack)
    rows = []
    for name in sorted(groups):
        found = [a for a in groups[name] if a["hits"]]
        delays = sorted((min(h["made"] for h in a["hits"]) - a["from"]) / 60 for a in found)
        median = round(delays[len(delays) // 2], 1) if delays else None
        rows.append({"name": name, "found": len(found), "all": len(groups[name]), "minutes": median})
    return rows


def rates(false, accounts, days):
    """False alerts by severity per account-month, with the upper bound."""
    months = accounts * days / 30.4
    rows = []
    for name, chosen in [(s, [s]) for s in SEVERITIES[1:]] + [("Medium+High", ["Medium", "High"]), ("all", SEVERITIES)]:
        n = sum(a["severity"] in chosen for a in false)
        if months > 0:
            rows.append({"severity": name, "false": n, "rate": n / months, "upper": poisson_upper(n) / months})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels")
    parser.add_argument("alerts")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--show-false", type=int, default=0, metavar="N", help="list the first N false alerts")
    parser.add_argument("--show-missed", action="store_true", help="list attacks that no alert found")
    args = parser.parse_args()
    with open(args.labels, encoding="utf-8") as file:
        labels = json.load(file)
    alerts = read_alerts(args.alerts)
    false = judge(labels, alerts)
    warm = when(labels["start"]) + labels["warmupDays"] * 86_400
    accounts, attacks = len(labels["accounts"]), labels["attacks"]
    late = [a for a in false if a["made"] >= warm]
    result = {
        "alerts": len(alerts),
        "recall": recall_table(attacks, lambda a: a["kind"]),
        "byStrength": recall_table(attacks, lambda a: f"{a['kind']} {a['strength']}"),
        "byVariant": recall_table(attacks, lambda a: f"{a['kind']} {a['variant']}"),
        "sweepAccounts": [
            {"id": a["id"], "named": len(a["names"] & set().union(*(h["accounts"] for h in a["hits"]), set())), "of": len(a["names"])}
            for a in attacks
            if len(a["names"]) > 1
        ],
        "falseWholeRun": rates(false, accounts, labels["days"]),
        "falseAfterWarmUp": rates(late, accounts, labels["days"] - labels["warmupDays"]),
        "falseByKind": dict(sorted(collections.Counter(f"{a['kind']} {a['severity']}" for a in late).items())),
        "falseBeside": dict(sorted(collections.Counter(beside(labels, a) or "-" for a in late).items())),
    }
    if args.json:
        print(json.dumps(result, indent=1))
        return
    print(f"{len(alerts)} alerts, {len(attacks)} attacks, {accounts} accounts, {labels['days']} days")
    for title in ["recall", "byStrength", "byVariant"]:
        print(f"\n{title}")
        for row in result[title]:
            print(f"  {row['found']:4d} / {row['all']:<4d} {row['name']:75s} median {row['minutes']} min")
    for row in result["sweepAccounts"]:
        print(f"  {row['id']}: {row['named']} of {row['of']} accounts named")
    for title in ["falseWholeRun", "falseAfterWarmUp"]:
        print(f"\n{title} (per account-month; upper end of the 95 % interval)")
        for row in result[title]:
            print(f"  {row['severity']:12s} {row['false']:5d}   {row['rate']:.3f}   <= {row['upper']:.3f}")
    print("\nfalse after warm-up by kind:", result["falseByKind"])
    print("beside benign episodes:", result["falseBeside"])
    for alert in false[: args.show_false]:
        made = datetime.datetime.fromtimestamp(alert["made"], datetime.timezone.utc).isoformat()
        print(f"  false {made} {alert['kind']} {alert['severity']} {sorted(alert['accounts'])[0]} [{beside(labels, alert)}] {alert['reason'][:120]}")
    if args.show_missed:
        for attack in attacks:
            if not attack["hits"]:
                print(f"  missed {attack['id']} {attack['variant']} {attack['strength']} {attack['accounts'][0]} {attack['start']} x{attack['meanDays']}")


if __name__ == "__main__":
    main()
