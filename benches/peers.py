"""Other readers of a Packages index, each timed on one file in turn with compose's own.

In: the file, and compose's bench program. Out: a table of MB/s, medians, and ratios to libsolv.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 5


def libsolv(path):
    import solv

    pool = solv.Pool()
    pool.setdisttype(solv.Pool.DISTTYPE_DEB)
    pool.setarch("amd64")
    repo = pool.add_repo("bench")
    start = time.perf_counter()
    stream = solv.xfopen(path)
    repo.add_debpackages(stream, 0)
    stream.close()
    return time.perf_counter() - start


def tagfile(path):
    import apt_pkg

    apt_pkg.init()
    fields = ("Pre-Depends", "Depends", "Recommends", "Suggests", "Enhances", "Conflicts", "Breaks", "Replaces", "Provides")
    start = time.perf_counter()
    with open(path) as stream:
        for section in apt_pkg.TagFile(stream):
            for field in fields:
                if field in section:
                    apt_pkg.parse_depends(section[field], False)
    return time.perf_counter() - start


def gencaches(path):
    with tempfile.TemporaryDirectory() as root:
        for folder in ("lists/partial", "cache/archives/partial", "etc"):
            os.makedirs(f"{root}/{folder}")
        name = "bench.example_debian_dists_bench"
        with open(f"{root}/sources.list", "w") as out:
            out.write("deb [trusted=yes] http://bench.example/debian bench main\n")
        with open(f"{root}/lists/{name}_Release", "w") as out:
            out.write("Suite: bench\nCodename: bench\nComponents: main\nArchitectures: amd64\n")
        os.symlink(os.path.abspath(path), f"{root}/lists/{name}_main_binary-amd64_Packages")
        options = {
            "Dir::Etc::sourcelist": f"{root}/sources.list",
            "Dir::Etc::sourceparts": "/nonexistent",
            "Dir::State::lists": f"{root}/lists",
            "Dir::State::status": "/dev/null",
            "Dir::Cache": f"{root}/cache",
            "Dir::Cache::pkgcache": "pkgcache.bin",
            "APT::Architecture": "amd64",
        }
        command = ["apt-cache", "gencaches"] + [f"-o{key}={value}" for key, value in options.items()]
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        taken = time.perf_counter() - start
        # Less than half of the index: apt has not read it.
        if os.path.getsize(f"{root}/cache/pkgcache.bin") < os.path.getsize(path) / 4:
            raise RuntimeError("apt-cache did not read the index")
        return taken


def compose(threads, program):
    def run(path):
        env = dict(os.environ, COMPOSE_BENCH_INDEX=path, COMPOSE_BENCH_ONCE=str(threads))
        return float(subprocess.run([program], env=env, check=True, capture_output=True, text=True).stdout.split()[-1])

    return run


def main():
    path, program = sys.argv[1:3]
    size = os.path.getsize(path) / 1e6
    readers = {
        "compose, 1 thread": compose(1, program),
        "compose, 2 threads": compose(2, program),
        "libsolv": libsolv,
        "apt-cache gencaches": gencaches,
        "apt_pkg.TagFile + parse_depends": tagfile,
    }
    times = {name: [] for name in readers}
    for _ in range(ROUNDS):
        for name, read in list(readers.items()):
            try:
                times[name].append(read(path))
            except Exception as error:
                print(f"absent: {name} ({error})")
                del readers[name]
    rates = {name: size / statistics.median(taken) for name, taken in times.items() if taken}
    base = rates.get("libsolv")
    for name, rate in rates.items():
        ratio = f"{rate / base:5.2f} times libsolv" if base else ""
        print(f"{name:32} {rate:7.0f} MB/s  {ratio}")


main()
