"""Runs the cases of tests/importers/list. See there for what a case says. One line a case; files of the run are in build/importers."""
import concurrent.futures
import contextlib
import hashlib
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "make"))
from base import Skip  # noqa: E402

BUILD = os.path.abspath(os.environ.get("O", "build"))
HOLDOVER = os.environ.get("HOLDOVER") or os.path.join(BUILD, "holdover")
WORK = os.path.join(BUILD, "disks")
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")
locks, locks_lock, look = {}, threading.Lock(), threading.Lock()       # libguestfs: one at a time


class Wrong(Exception):
    pass


class Case:
    def __init__(self, name, maker, way):
        self.name, self.maker, self.way, self.checks, self.marks, self.options, self.acts = name, maker, way, [], set(), [], []


def read_list(path):
    cases = []
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if not line[0].isspace():
            cases.append(Case(words[0], words[1], words[2] if len(words) > 2 else "raw"))
        elif words[0] in ("long", "look", "nothing-else"):
            cases[-1].marks.add(words[0])
        elif words[0] == "then":
            cases[-1].acts += words[1:]
        elif words[0] == "option":
            cases[-1].options += words[1:]
        else:
            m = re.match(r"\s+(\S+(?: [a-z0-9-]+\.[a-z0-9.-]+)?) (=|~|!~|<=|>=) ?(.*?)\s*$", line)
            if not m:
                raise SystemExit("%s:%d: what is this?" % (path, number))
            cases[-1].checks.append(m.groups())
    return cases


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        while piece := f.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def made(maker):
    """The raw disk of a maker (MODULE:FUNCTION), made again only when the makers' sources have changed."""
    if maker == "-":
        return None
    module, name = maker.split(":")
    with locks_lock:
        lock = locks.setdefault(maker, threading.Lock())
    with lock:
        digest = hashlib.sha256()
        for source in ("base", "registry", module):
            digest.update(open(os.path.join(HERE, "make", source + ".py"), "rb").read())
        path, key = os.path.join(WORK, "disks", name + ".raw"), digest.hexdigest()
        if not os.path.exists(path) or not os.path.exists(path + ".key") or open(path + ".key").read() != key:
            getattr(importlib.import_module(module), name)(path)
            open(path + ".key", "w").write(key)
        return path


class Run:
    """One case: its own store, temporary folder and source."""

    def __init__(self, case):
        self.case = case
        self.folder = os.path.join(WORK, "work", case.name)
        shutil.rmtree(self.folder, ignore_errors=True)
        for part in ("source", "home", "tmp"):
            os.makedirs(os.path.join(self.folder, part))
        self.home = os.path.join(self.folder, "home")

    def holdover(self, *words, stdout=subprocess.PIPE):
        s = self.source
        env = {**os.environ, "HOLDOVER_HOME": self.home, "TMPDIR": os.path.join(self.folder, "tmp"), "LC_ALL": "C.UTF-8",
               "LIBGUESTFS_CACHEDIR": os.path.join(WORK, "libguestfs"), **s.env}
        feed = open(s.stdin, "rb") if s.stdin and words[0] == "import" else subprocess.DEVNULL
        if s.begin and words[0] == "import":
            s.begin()
        try:
            return subprocess.run([HOLDOVER, *words], stdin=feed, stdout=stdout, stderr=subprocess.PIPE, env=env, timeout=400)
        except subprocess.TimeoutExpired:
            raise Wrong("`%s` did not end in 400 seconds" % " ".join(words))
        finally:
            if s.end and words[0] == "import":
                s.end()
            if feed is not subprocess.DEVNULL:
                feed.close()

    def fine(self, *words, **more):
        done = self.holdover(*words, **more)
        if done.returncode:
            raise Wrong("`holdover %s` exits %d: %s" % (words[0], done.returncode, done.stderr.decode(errors="replace").strip()))
        for text in (done.stdout or b"", done.stderr):
            text = text.decode("utf-8", errors="strict")
            if words[0] != "export" and CONTROL.search(text):
                raise Wrong("`holdover %s` prints control bytes: %r" % (words[0], CONTROL.search(text)))
        return done.stdout.decode() if done.stdout else ""

    def left(self):
        """What an import that failed left behind."""
        for top in ("home", "tmp"):
            for folder, _, files in os.walk(os.path.join(self.folder, top)):
                for name in files:
                    yield os.path.relpath(os.path.join(folder, name), self.folder)

    def refused(self, words, pattern):
        for extra in ((), ("--dry-run",)):
            done = self.holdover("import", *words, *extra)
            error = done.stderr.decode("utf-8", errors="replace")
            if done.returncode != 1:
                raise Wrong("exit status %d, not 1: %s" % (done.returncode, error.strip() or done.stdout.decode(errors="replace")[:200]))
            lines = error.strip("\n").split("\n")
            if len(lines) != 1 or not lines[0].startswith("holdover: ") or CONTROL.search(lines[0]):
                raise Wrong("not one sentence: %r" % error)
            if not re.search(pattern, lines[0]):
                raise Wrong("says %r" % lines[0])
            for name in self.left():
                if not re.search(r"(^|/)\.?lock", name):
                    raise Wrong("leaves %s" % name)

    def everything(self):
        case = self.case
        way = getattr(importlib.import_module("wrap"), case.way)
        disk = made(case.maker)
        self.source = way(disk, os.path.join(self.folder, "source"))
        words = [*self.source.names, "--name", "old", *self.source.options, *case.options] + ([] if "look" in case.marks else ["--no-inspect"])
        refused = [c for c in case.checks if c[0] == "refused"]
        if refused:
            return self.refused(words, refused[0][2])
        dry = json.loads(self.fine("import", *words, "--dry-run", "--json"))
        if list(self.left()) and any(not re.search(r"(^|/)\.?lock", n) for n in self.left()):
            raise Wrong("--dry-run leaves %s" % list(self.left()))
        self.fine("import", *words)
        manifest = json.load(open(os.path.join(self.home, "old", "evidence", "manifest.json")))
        source = "source" in manifest                       # CDs and floppies alone: there is no disk
        first = lambda m: m["source"] if source else m["media"][0]
        for key in ("sha256", "bytes"):
            if first(manifest)[key] != first(dry["manifest"])[key]:
                raise Wrong("--dry-run and the import differ in %s" % key)
        self.fine("verify", "old")
        raw = disk if self.source.raw is None and case.way in WHOLE else self.source.raw if self.source.raw is not None else self.source.names[0]
        if source:
            self.compare(raw, manifest)
        else:
            kept = sha256(os.path.join(self.home, "old", manifest["media"][0]["file"]))
            if kept != manifest["media"][0]["sha256"] or kept != sha256(raw):
                raise Wrong("the medium that was kept is not the source's bytes")
        for act in case.acts:
            getattr(self, act)(manifest)
        profile = open(os.path.join(self.home, "old", "guest.profile")).read()
        wrong = [w for w in (check(dry, manifest, profile, *c) for c in case.checks) if w]
        if wrong:
            raise Wrong("; ".join(wrong))

    def tamper(self, manifest):
        """A byte of the image is not what it was: `verify` and `export` say so in a sentence."""
        image = os.path.join(self.home, "old", "disk0.qcow2")
        os.chmod(image, 0o644)
        with open(image, "r+b") as f:
            f.seek(os.path.getsize(image) * 6 // 10)
            byte = f.read(1)
            f.seek(-1, os.SEEK_CUR)
            f.write(bytes([byte[0] ^ 1]))
        done = self.holdover("verify", "old")
        if done.returncode != 1 or done.stderr.decode().strip("\n").count("\n"):
            raise Wrong("`verify` of a changed image exits %d: %r" % (done.returncode, done.stderr.decode()))
        to = os.path.join(self.folder, "changed.raw")
        done = self.holdover("export", "old", "--format", "raw", "-o", to)
        same = os.path.exists(to) and sha256(to) == manifest["source"]["sha256"]       # the byte may be one that says nothing
        if done.returncode != (0 if same else 1) or os.path.exists(to) != same:
            raise Wrong("a changed image is exported as if it were the import (exit %d)" % done.returncode)

    def exports(self, manifest):
        """Other programs read what is exported, and find the same bytes."""
        size = manifest["source"]["bytes"]
        for kind, name in (("qcow2", "qcow2"), ("vhd", "vpc"), ("vmdk", "vmdk"), ("vdi", "vdi")):
            to = os.path.join(self.folder, "out." + kind)
            self.fine("export", "old", "--format", kind, "-o", to)
            subprocess.run(["qemu-img", "convert", "-f", name, "-O", "raw", to, to + ".raw"], check=True)
            digest = hashlib.sha256()
            with open(to + ".raw", "rb") as f:
                digest.update(f.read(size))
                if f.read().strip(b"\0"):
                    raise Wrong("the %s export has bytes behind the disk's end" % kind)
            if digest.hexdigest() != manifest["source"]["sha256"]:
                raise Wrong("qemu-img finds other bytes in the %s export" % kind)
            os.unlink(to + ".raw")

    def bag(self, manifest):
        """RFC 8493 by hand: every payload file is in the manifest with its sum, and nothing else; PREMIS tells of events."""
        to = os.path.join(self.folder, "bag")
        self.fine("export", "old", "--bagit", "-o", to)
        if not re.match(r"BagIt-Version: 1\.0\nTag-File-Character-Encoding: UTF-8\n$", open(os.path.join(to, "bagit.txt")).read()):
            raise Wrong("bagit.txt is not that of a bag")
        listed = set()
        for line in open(os.path.join(to, "manifest-sha256.txt")):
            digest, name = line.rstrip("\n").split(None, 1)
            listed.add(name)
            if sha256(os.path.join(to, name)) != digest:
                raise Wrong("the bag's sum of %s is wrong" % name)
        there = {os.path.relpath(os.path.join(f, n), to) for f, _, names in os.walk(os.path.join(to, "data")) for n in names}
        if there != listed:
            raise Wrong("the bag's manifest and its payload differ: %s" % sorted(there ^ listed))
        premis = [os.path.join(f, n) for f, _, names in os.walk(to) for n in names if "premis" in n.lower() and n.endswith(".xml")]
        root = xml.etree.ElementTree.parse(premis[0]).getroot() if premis else None
        if root is None or not root.findall(".//{http://www.loc.gov/premis/v3}event"):
            raise Wrong("the bag has no PREMIS 3 events")

    def compare(self, raw, manifest):
        """The SHA-256 of the raw export, through a pipe, against the source's raw bytes and the manifest's."""
        out = os.path.join(self.folder, "export.sha")
        with open(out, "wb") as f:
            hashing = subprocess.Popen(["sha256sum"], stdin=subprocess.PIPE, stdout=f)
            self.fine("export", "old", "--format", "raw", "-o", "-", stdout=hashing.stdin)
            hashing.stdin.close()
            hashing.wait()
        exported = open(out).read().split()[0]
        if exported != manifest["source"]["sha256"]:
            raise Wrong("the export's SHA-256 is not the manifest's")
        if raw and exported != sha256(raw):
            raise Wrong("the export's SHA-256 is not the source's")


# Ways that give the maker's own bytes; of the others the source itself is the raw disk, unless it names one.
WHOLE = set("""raw stdin qcow qcow2 qcow2v2 vhd vhdfixed vhdx vhdxfixed vdi vdistatic vmdk vmdkflat vmdksplit vmdksplitflat vmdkstream misnamed qcow2zlib
    qcow2zstd e01 e01split gz bz2 xz zst gzstdin gzmembers split ova ssh nbd two""".split())


def values(dry, manifest, profile, key):
    """What a check's key stands for: a list of strings."""
    facts = manifest["inspection"]["facts"]
    disk = manifest["disks"][0] if manifest["disks"] else None
    if key.startswith("pin "):
        section, name = key[4:].split(".", 1)
        here = ""
        for line in profile.splitlines():
            line = line.strip()
            if line.startswith("["):
                here = line.strip("[]")
            elif here == section and re.match(re.escape(name) + r"\s*=", line):
                return [line.split("=", 1)[1].strip()]
        return []
    if key == "geometry":
        g = disk["geometry"]
        return ["%d/%d/%d" % (g["cylinders"], g["heads"], g["sectors"])]
    simple = {
        "profile": lambda: [manifest["profile"]["name"]], "os": lambda: [dry["os"]], "product": lambda: [dry["product"]],
        "format": lambda: [disk["source"]["format"]], "kind": lambda: [disk["source"]["kind"]], "bytes": lambda: [str(disk["source"]["bytes"])],
        "bad": lambda: [str(disk["bad_bytes"])], "damaged": lambda: [str(disk["partition_table"]["damaged"]).lower()],
        "partitions": lambda: [str(len(disk["partition_table"]["partitions"]))], "disks": lambda: [str(len(manifest["disks"]))],
        "finding": lambda: [t for d in manifest["disks"] for t in d["findings"]] + [manifest["inspection"].get("note") or ""],
        "types": lambda: [" ".join("%02x" % p["type"] for p in disk["partition_table"]["partitions"])],
        "systems": lambda: [" ".join(p.get("fs") or "-" for p in disk["partition_table"]["partitions"])],
        "table": lambda: [disk["partition_table"]["kind"]], "any": lambda: [json.dumps(manifest, ensure_ascii=False)],
    }
    return simple[key]() if key in simple else facts.get(key, [])


def check(dry, manifest, profile, key, sign, value):
    """What is wrong, or None."""
    have = values(dry, manifest, profile, key)
    number = lambda v: float(re.match(r"[0-9.]+", v).group())
    good = {"=": lambda: value in have if value else not any(have), "~": lambda: any(re.search(value, h) for h in have),
            "!~": lambda: not any(re.search(value, h) for h in have), "<=": lambda: all(number(h) <= number(value) for h in have),
            ">=": lambda: all(number(h) >= number(value) for h in have)}[sign]()
    return None if good else "%s is %s, not %s %s" % (key, ", ".join(repr(h) for h in have)[:300] or "not there", sign, value)


def one(case):
    run = Run(case)
    try:
        with look if "look" in case.marks else contextlib.nullcontext():
            run.everything()
        shutil.rmtree(run.folder, ignore_errors=True)
        return "ok %s" % case.name
    except Skip as why:
        return "skip %s: %s" % (case.name, why)
    except Wrong as why:
        return "not ok %s: %s" % (case.name, why)
    except Exception as why:                                # a maker or this runner failed: as bad as a wrong answer
        return "not ok %s: %s: %s" % (case.name, type(why).__name__, why)


def main():
    words = sys.argv[1:]
    short = "--short" in words
    wanted = [w for w in words if not w.startswith("-")]
    cases = read_list(os.path.join(HERE, "list"))
    if wanted:
        cases = [c for c in cases if any(re.fullmatch(w.replace("*", ".*"), c.name) for w in wanted)]
    elif short:
        cases = [c for c in cases if "long" not in c.marks and "look" not in c.marks]
    for part in ("disks", "work", "libguestfs"):
        os.makedirs(os.path.join(WORK, part), exist_ok=True)
    allowed = [line.split(":")[0] for line in open(os.path.join(HERE, "..", "skips.allowed"))]
    count = {"ok": 0, "not": 0, "skip": 0}
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("JOBS", "2"))) as pool:
        for line in pool.map(one, cases):
            print(line, flush=True)
            kind = line.split()[0]
            if kind == "skip" and os.environ.get("CI") and "importers." + line.split()[1].rstrip(":") not in allowed:
                print("  importers.%s is not listed in tests/skips.allowed" % line.split()[1].rstrip(":"))
                count["not"] += 1
            count[kind] += 1
    print("%d passed, %d failed, %d skipped" % (count["ok"], count["not"], count["skip"]))
    return 1 if count["not"] or not count["ok"] else 0


if __name__ == "__main__":
    sys.exit(main())
