#!/usr/bin/env python3
"""Load and faults against a real `cosmoguard serve` on the loopback. See README.md beside this file.

Bounded: every scenario has a limit in seconds and in requests, and only 127.0.0.1 is spoken to.
"""
import argparse
import gzip
import http.client
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HOST = "127.0.0.1"
TIME = re.compile(rb'"time":\s*"([^"]+)"')
BATCH = 4000


def free_port():
    with socket.socket() as s:
        s.bind((HOST, 0))
        return s.getsockname()[1]


def batches_of(folder, limit):
    """Records of a simulated fleet in order of event time, as gzip bodies of BATCH lines: (body, count, newest)."""
    hours = {}
    for path in sorted(pathlib.Path(folder).rglob("PT1H.json")):
        key = tuple(p for p in path.parts if p[:2] in ("y=", "m=", "d=", "h="))
        hours.setdefault(key, []).append(path)
    made, lines = 0, []
    for key in sorted(hours):
        fresh = []
        for path in hours[key]:
            fresh.extend(path.read_bytes().splitlines())
        fresh = [(TIME.search(line).group(1), line) for line in fresh if TIME.search(line)]
        fresh.sort(key=lambda pair: pair[0])
        lines.extend(fresh)
        while len(lines) >= BATCH:
            part, lines = lines[:BATCH], lines[BATCH:]
            yield gzip.compress(b"\n".join(line for _, line in part), 1), len(part), part[-1][0].decode()
            made += 1
            if made >= limit:
                return
    if lines:
        yield gzip.compress(b"\n".join(line for _, line in lines), 1), len(lines), lines[-1][0].decode()


class Service:
    def __init__(self, args, data, config="", fsize=None, extra=()):
        self.port = free_port()
        self.data = pathlib.Path(data)
        self.data.mkdir(parents=True, exist_ok=True)
        self.config = self.data / "load.toml"
        self.config.write_text(config)
        self.args, self.fsize, self.extra = args, fsize, list(extra)
        self.process = None
        self.log = open(self.data / "stderr.log", "ab")

    def start(self, patience=120):
        limit = self.fsize

        def before():
            if limit:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

        command = [str(self.args.binary), "serve", "--data-dir", str(self.data / "guard"), "--config",
                   str(self.config), "--listen", f"{HOST}:{self.port}", "--tor-exits",
                   str(self.args.fleet / "tor-exits.txt"), "--threat-ips", str(self.args.fleet / "threat-ips.txt")]
        self.process = subprocess.Popen(command + self.extra, stdout=subprocess.DEVNULL, stderr=self.log,
                                        preexec_fn=before)
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise SystemExit(f"serve ended with {self.process.returncode}; see {self.data}/stderr.log")
            try:
                if self.get("/readyz")[0] == 200:
                    return self
            except OSError:
                pass
            time.sleep(0.05)
        raise SystemExit("serve was not ready in time")

    def connection(self, timeout=60):
        return http.client.HTTPConnection(HOST, self.port, timeout=timeout)

    def get(self, path):
        link = self.connection()
        try:
            link.request("GET", path)
            answer = link.getresponse()
            return answer.status, answer.read()
        finally:
            link.close()

    def status(self):
        return json.loads(self.get("/v1/status")[1])

    def rss(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS"):
                return int(line.split()[1]) * 1024
        return 0

    def peak(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
        return 0

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, patience=90):
        self.process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        self.process.wait(patience)
        return self.process.returncode, time.monotonic() - begun

    def alerts(self):
        path = self.data / "guard" / "alerts.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]


def post(link, body):
    headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
    link.request("POST", "/v1/events", body, headers)
    answer = link.getresponse()
    text = answer.read()
    return answer.status, answer.getheader("Retry-After"), text


def essence(alerts):
    return {(a["name"], a["properties"]["alertType"], a["properties"]["compromisedEntity"]) for a in alerts}


def doubled(alerts):
    seen, twice = set(), 0
    for alert in alerts:
        key = (alert["name"], alert["properties"]["extendedProperties"]["Revision"])
        twice += key in seen
        seen.add(key)
    return twice


def settle(service, expected, patience=120):
    """Waits until `expected` records are applied; what the service says then."""
    end = time.monotonic() + patience
    applied = 0
    while time.monotonic() < end:
        fleet = service.status()["fleet"] or {"records": {}}
        # Copies that were recognised and records that were refused are through as well.
        applied = (sum(fleet["records"].values()) + sum(fleet.get("refused", {}).values())
                   + fleet.get("copies", 0) + fleet.get("unknown", 0))
        if applied >= expected:
            break
        time.sleep(0.2)
    return applied


def caught_up(service, newest, patience=120):
    """Waits until the newest of all records is read, whichever process read the others."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        seen = service.status()["newest"]
        if seen and seen[:23] >= newest[:23]:
            return
        time.sleep(0.2)
    raise SystemExit("the inbox was not read in time")


class Watch(threading.Thread):
    """When alerts come out, by id and revision, from the event stream."""

    def __init__(self, service):
        super().__init__(daemon=True)
        self.service, self.seen = service, {}

    def run(self):
        link = self.service.connection(timeout=600)
        try:
            link.request("GET", "/v1/alerts/stream", headers={"Accept": "text/event-stream"})
            stream = link.getresponse()
            data = b""
            while True:
                line = stream.readline()
                if not line:
                    return
                if line.startswith(b"data:"):
                    data = line[5:].strip()
                elif line.strip() == b"" and data:
                    self.take(data)
                    data = b""
        except (OSError, http.client.HTTPException):
            return

    def take(self, data):
        try:
            event = json.loads(data)
        except ValueError:
            return
        ident = event.get("id") or event.get("name")
        if ident:
            self.seen.setdefault(ident, time.monotonic())


def percentile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))] if values else None


def sustained(args, scratch):
    service = Service(args, scratch / "sustained").start()
    watch = Watch(service)
    watch.start()
    link = service.connection()
    begun, accepted, refused, memory, times = time.monotonic(), 0, 0, [], []
    sample = begun
    for body, count, newest in batches_of(args.fleet, args.batches):
        while True:
            code, wait, _ = post(link, body)
            if code == 202:
                break
            if code != 429:
                raise SystemExit(f"POST /v1/events answered {code}")
            refused += 1
            time.sleep(min(float(wait or 1), 2))
        accepted += count
        now = time.monotonic()
        times.append((newest, now))
        if now - sample >= 1:
            memory.append(service.rss())
            sample = now
        if now - begun >= args.seconds:
            break
    sent_in = time.monotonic() - begun
    applied = settle(service, accepted)
    all_in = time.monotonic() - begun
    time.sleep(3)
    alerts, peak = service.alerts(), service.peak()
    delays = []
    for alert in alerts:
        if alert["properties"]["extendedProperties"]["Revision"] != "1":
            continue
        decided = alert["properties"]["timeGeneratedUtc"]
        receipt = next((at for newest, at in times if newest >= decided), None)
        out = watch.seen.get(alert["name"])
        if receipt and out:
            delays.append(max(0.0, out - receipt))
    code, drained = service.stop()
    third = memory[len(memory) // 3:] or [0]
    return {
        "records": accepted, "seconds_sending": round(sent_in, 1), "records_per_s_accepted": round(accepted / sent_in),
        "records_per_s_applied": round(applied / all_in), "applied": applied, "answers_429": refused,
        "rss_after_a_third_mb": round(third[0] / 1e6), "rss_end_mb": round(third[-1] / 1e6),
        "rss_peak_mb": round(peak / 1e6), "alerts": len(alerts),
        "receipt_to_alert_s": {"n": len(delays), "p50": percentile(delays, .5), "p99": percentile(delays, .99)},
        "exit": code, "drain_s": round(drained, 2),
        "ok": applied >= accepted * 0.999 and code == 0 and doubled(alerts) == 0,
    }


def burst(args, scratch):
    service = Service(args, scratch / "burst", "[serve]\ninbox_bytes = 33554432\n").start()
    bodies = list(batches_of(args.fleet, 400))
    lock, totals = threading.Lock(), {"accepted": 0, "429": 0, "other": 0, "no_retry_after": 0}

    def send(part):
        link = service.connection()
        for body, count, _ in part:
            for _ in range(200):
                code, wait, _ = post(link, body)
                with lock:
                    if code == 202:
                        totals["accepted"] += count
                    elif code == 429:
                        totals["429"] += 1
                        totals["no_retry_after"] += wait is None
                    else:
                        totals["other"] += 1
                if code != 429:
                    break
                time.sleep(0.2)

    # In order as far as ten senders can be: a batch that is far behind would count as late.
    threads = [threading.Thread(target=send, args=(bodies[n::10],)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    applied = settle(service, totals["accepted"])
    code, _ = service.stop()
    ok = applied == totals["accepted"] and totals["other"] == 0 and totals["no_retry_after"] == 0 and code == 0
    return {**totals, "applied": applied, "exit": code, "ok": ok}


def kill(args, scratch):
    data = scratch / "kill"
    service = Service(args, data)
    service.start()
    bodies = list(batches_of(args.fleet, args.kill_batches))
    step = max(1, len(bodies) // (args.kills + 1))
    sent = kills = again = 0
    link = service.connection()
    while sent < len(bodies):
        body, _, _ = bodies[sent]
        try:
            code, wait, _ = post(link, body)
        except (OSError, http.client.HTTPException):
            code, wait = 0, None
        if code == 202:
            sent += 1
        elif code == 429:
            time.sleep(min(float(wait or 1), 1))
        elif code == 0:
            again += 1
        else:
            raise SystemExit(f"POST /v1/events answered {code}")
        if code == 0 or (kills < args.kills and sent >= step * (kills + 1)):
            service.kill()
            kills += 1
            service.start()
            link = service.connection()
    total = sum(count for _, count, _ in bodies)
    caught_up(service, max(newest for _, _, newest in bodies))
    service.stop()
    alerts = service.alerts()
    logs = scratch / "kill-logs.jsonl"
    with open(logs, "wb") as out:
        for body, _, _ in bodies:
            out.write(gzip.decompress(body) + b"\n")
    replayed = scratch / "kill-replay.jsonl"
    subprocess.run([str(args.binary), "replay", str(logs), "--alerts", str(replayed), "--quiet", "--tor-exits",
                    str(args.fleet / "tor-exits.txt"), "--threat-ips", str(args.fleet / "threat-ips.txt")],
                   check=False, stderr=subprocess.DEVNULL)
    expected = [json.loads(line) for line in replayed.read_text().splitlines()]
    missing, more = essence(expected) - essence(alerts), essence(alerts) - essence(expected)
    return {"records": total, "kills": kills, "sent_again": again, "alerts": len(essence(alerts)),
            "missing": len(missing), "more": len(more), "twice": doubled(alerts),
            "ok": not missing and not more and doubled(alerts) == 0}


def webhook(args, scratch):
    silent = socket.socket()
    silent.bind((HOST, 0))
    silent.listen(64)
    url = f"http://{HOST}:{silent.getsockname()[1]}/hook"
    config = (f'[[sinks]]\nname = "dead"\nkind = "webhook"\nurl = "{url}"\nallow_private = true\n')
    service = Service(args, scratch / "webhook", config).start()
    link, accepted = service.connection(), 0
    begun = time.monotonic()
    for body, count, _ in batches_of(args.fleet, args.kill_batches):
        while post(link, body)[0] == 429:
            time.sleep(0.2)
        accepted += count
    applied = settle(service, accepted)
    took = time.monotonic() - begun
    sinks = [line for line in service.get("/metrics")[1].decode().splitlines() if line.startswith("cosmoguard_sink_")]
    code, drained = service.stop()
    silent.close()
    return {"records": accepted, "applied": applied, "records_per_s": round(accepted / took), "sinks": sinks,
            "exit": code, "drain_s": round(drained, 2), "ok": applied == accepted and code == 0}


def slow(args, scratch):
    service = Service(args, scratch / "slow").start()
    links = []
    for _ in range(200):
        s = socket.create_connection((HOST, service.port), timeout=5)
        s.sendall(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n")
        links.append(s)
    worst, cut, end = 0.0, 0, time.monotonic() + min(args.seconds, 45)
    while time.monotonic() < end:
        open_links = []
        for s in links:
            try:
                s.sendall(b"x")
                open_links.append(s)
            except OSError:
                cut += 1
        links = open_links
        begun = time.monotonic()
        code, _ = service.get("/healthz")
        worst = max(worst, time.monotonic() - begun)
        if code != 200:
            raise SystemExit(f"/healthz answered {code}")
        time.sleep(1)
    for s in links:
        s.close()
    code, _ = service.stop()
    return {"slow_clients": 200, "cut_off": cut, "healthz_worst_s": round(worst, 3), "exit": code,
            "ok": worst < 2 and cut == 200 and code == 0}


def disk(args, scratch):
    data = scratch / "disk"
    service = Service(args, data, fsize=24 << 20).start()
    bodies = list(batches_of(args.fleet, args.kill_batches))
    answers, sent = {}, 0
    link = service.connection()
    for body, _, _ in bodies:
        try:
            code = post(link, body)[0]
        except (OSError, http.client.HTTPException):
            code = "closed"
            if service.process.poll() is not None:
                answers[code] = answers.get(code, 0) + 1
                break
            link = service.connection()
        answers[code] = answers.get(code, 0) + 1
        if code == 202:
            sent += 1
        if len([c for c in answers if c != 202]) and sum(v for c, v in answers.items() if c != 202) > 20:
            break
    ended = service.process.poll()
    if ended is None:
        service.stop()
    # With room again, it goes on.
    service = Service(args, data).start()
    for body, _, _ in bodies[sent:]:
        link = service.connection()
        while post(link, body)[0] == 429:
            time.sleep(0.2)
    code, _ = service.stop()
    return {"answers": {str(k): v for k, v in answers.items()}, "ended_by_itself": ended, "exit": code,
            "twice": doubled(service.alerts()), "ok": code == 0 and doubled(service.alerts()) == 0}


SCENARIOS = [sustained, burst, kill, webhook, slow, disk]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=pathlib.Path, default=pathlib.Path("target/release/cosmoguard"))
    parser.add_argument("--seconds", type=float, default=300, help="bound of `sustained`")
    parser.add_argument("--only", action="append", choices=[s.__name__ for s in SCENARIOS])
    parser.add_argument("--fleet", type=pathlib.Path, help="a folder made by `simulate`; made here if absent")
    parser.add_argument("--days", type=int, default=120)
    parser.add_argument("--accounts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--kill-batches", type=int, default=150, help="batches of the scenarios that break things")
    parser.add_argument("--batches", type=int, default=10_000)
    args = parser.parse_args()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="load-"))
    if args.fleet is None:
        args.fleet = scratch / "fleet"
        print(f"simulating seed {args.seed}: {args.accounts} accounts, {args.days} days", file=sys.stderr)
        subprocess.run([str(args.binary), "simulate", str(args.fleet), "--seed", str(args.seed), "--accounts",
                        str(args.accounts), "--days", str(args.days)], check=True, stderr=subprocess.DEVNULL)
    failed = []
    for scenario in SCENARIOS:
        if args.only and scenario.__name__ not in args.only:
            continue
        begun = time.monotonic()
        result = scenario(args, scratch)
        result["took_s"] = round(time.monotonic() - begun, 1)
        print(f"{scenario.__name__:10} {'ok' if result['ok'] else 'FAILED'}  {json.dumps(result)}", flush=True)
        if not result["ok"]:
            failed.append(scenario.__name__)
    if not failed:
        shutil.rmtree(scratch)
    else:
        print(f"kept {scratch}", file=sys.stderr)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
