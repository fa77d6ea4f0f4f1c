"""Runs one composed example as a container runtime would, and holds what it does against what it should.

    unshare --mount --pid --net --ipc --uts --fork --kill-child --mount-proc \\
        python3 tests/examples.py NAME ROOTFS IMAGE.oci.tar FOLDER

In: a rootfs and the image's configuration, as compose wrote them; FOLDER is the example's own, with its certificates; root.
Each program is process 1 of its own namespace, as the image's user, without rights and without a way to new ones, on a
read-only root with /tmp, /run and /dev in memory, and no network but loopback. It is asked from outside of its root, with
this machine's Python. Out: `works`, or the exception that came instead. It ends by itself, and with it all that it began.
"""

import csv
import ctypes
import fcntl
import hashlib
import http.client
import http.server
import json
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

# Seconds for the whole, and for one answer.
WHOLE, ONE = 240, 60
DEVICES = ("null", "zero", "full", "random", "urandom")
PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP, LAST_CAPABILITY = 38, 24, 63


def mount(*args):
    subprocess.run(["mount", *map(str, args)], check=True)


def loopback_up():
    """`ip link set lo up`, which need not be on this machine."""
    get, put, up = 0x8913, 0x8914, 1  # SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        flags = struct.unpack("16sh", fcntl.ioctl(handle, get, struct.pack("16sh", b"lo", 0)))[1]
        fcntl.ioctl(handle, put, struct.pack("16sh", b"lo", flags | up))


def prepare(at):
    """Makes the rootfs read-only, with what every runtime brings. All of it is gone with the namespace."""
    mount("--bind", at, at)
    mount("-o", "remount,bind,ro,nosuid,nodev", at)
    mount("-t", "tmpfs", "-o", "mode=1777,nosuid,nodev", "tmp", at / "tmp")
    mount("-t", "tmpfs", "-o", "mode=755,nosuid,nodev", "run", at / "run")
    mount("-t", "tmpfs", "-o", "mode=755,nosuid", "dev", at / "dev")
    for name in DEVICES:
        (at / "dev" / name).touch()
        mount("--bind", f"/dev/{name}", at / "dev" / name)
    (at / "dev/shm").mkdir()
    mount("-t", "tmpfs", "-o", "mode=1777,nosuid,nodev", "shm", at / "dev/shm")


def inside(text):
    """The first process of a container, until it is the program: `text` is JSON of what `Container` says."""
    root, uid, gid, folder, env, argv = json.loads(text)
    mount("-t", "proc", "-o", "nosuid,nodev,noexec", "proc", f"{root}/proc")
    os.chroot(root)
    os.chdir(folder)
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in range(LAST_CAPABILITY + 1):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs")
    os.execve(argv[0], argv, env)


class Image:
    """A rootfs that is ready, and its configuration."""

    def __init__(self, rootfs, archive):
        with tarfile.open(archive) as tar:
            name = json.load(tar.extractfile("manifest.json"))[0]["Config"]
            self.config = json.load(tar.extractfile(name))["config"]
        self.root = rootfs
        prepare(rootfs)

    def secret(self, path, files):
        """Puts files where a runtime mounts secrets; they are the user's alone."""
        folder = self.root / path
        folder.mkdir(parents=True)
        for name, text in files.items():
            (folder / name).write_text(text)
            os.chown(folder / name, 65532, 65532)
            (folder / name).chmod(0o400)

    def start(self, *cmd, entrypoint=None, stdin="", **env):
        return Container(self, cmd, entrypoint, stdin, env)

    def run(self, *args, code=0, **more):
        """Runs to the end: what it printed."""
        container = self.start(*args, **more)
        container.ended(code)
        return container.said()


class Container:
    """A program that was started."""

    def __init__(self, image, cmd, entrypoint, stdin, env):
        config = image.config
        argv = [*(entrypoint or config["Entrypoint"]), *(cmd or ([] if entrypoint else config.get("Cmd", [])))]
        uid, gid = map(int, config["User"].split(":"))
        assert (uid, gid) == (65532, 65532), config["User"]
        env = dict(entry.split("=", 1) for entry in config["Env"]) | env
        task = json.dumps([str(image.root), uid, gid, config.get("WorkingDir", "/"), env, argv])
        self.out, self.err = tempfile.TemporaryFile("w+"), tempfile.TemporaryFile("w+")
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", sys.executable, "-I", __file__, "inside", task]
        self.shell = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=self.out, stderr=self.err, text=True)
        self.shell.stdin.write(stdin)
        self.shell.stdin.close()

    def said(self, stream="out"):
        handle = getattr(self, stream)
        # Not through the handle: the program writes where it stands.
        return os.pread(handle.fileno(), 1 << 20, 0).decode()

    def wait(self, what, words):
        """Waits until `what()` is true."""
        end = time.monotonic() + ONE
        while not (found := what()):
            code = self.shell.poll()
            assert code is None, f"it ended with {code} before {words}: {self.said()}{self.said('err')}"
            assert time.monotonic() < end, f"no {words}: {self.said()}{self.said('err')}"
            time.sleep(0.05)
        return found

    def listens(self, port):
        def reached():
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                return False
            return True

        self.wait(reached, f"port {port}")
        return self

    def says(self, line):
        self.wait(lambda: line in self.said().splitlines(), f"“{line}”")
        return self

    def pid(self):
        return self.wait(lambda: children(self.shell.pid), "process")[0]

    def ask(self, name):
        os.kill(self.pid(), getattr(signal, name))

    def ended(self, code):
        """Waits for its end."""
        found = self.shell.wait(ONE)
        assert found == code, f"it ended with {found}: {self.said()}{self.said('err')}"

    def ends_on_sigterm(self):
        """It is asked to end, does so in its own way, and nothing stays."""
        workers = descendants(self.pid())
        self.ask("SIGTERM")
        self.ended(0)
        left = [pid for pid in workers if Path(f"/proc/{pid}").exists()]
        assert not left, f"left: {left}"


def children(pid):
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            if f"\nPPid:\t{pid}\n" in status.read_text():
                found.append(int(status.parent.name))
        except OSError:  # it ended meanwhile
            continue
    return sorted(found)


def descendants(pid):
    return [found for child in children(pid) for found in (child, *descendants(child))]


def request(port, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ONE)
    headers = {"Content-Type": "application/json"} if body else {}
    connection.request("POST" if body else "GET", path, body and json.dumps(body), headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


CAGE = """
import errno, os, socket
assert os.getpid() == 1 and os.getresuid() == os.getresgid() == (65532,) * 3 and os.getgroups() == []
status = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines())
assert status["NoNewPrivs"] == "1" and not any(int(status[key], 16) for key in status if key.startswith("Cap")), status
assert not any(os.path.exists(f"{folder}/{name}") for folder in ("/bin", "/usr/bin") for name in ("sh", "bash", "dpkg"))
try:
    open("/usr/x", "w")
except OSError as error:
    assert error.errno in (errno.EROFS, errno.EACCES), error
else:
    raise AssertionError("the root can be written to")
assert os.statvfs("/").f_flag & os.ST_RDONLY
open("/tmp/x", "w").close()
assert [name for _, name in socket.if_nameindex()] == ["lo"]
print("caged")
"""


def cage(image):
    """What is tried here is tried where it should be."""
    assert image.run(entrypoint=["/usr/bin/python3", "-I", "-c", CAGE]) == "caged\n"
    (image.root / "tmp/x").unlink()


def version(image, folder):
    assert re.fullmatch(r"Python 3\.13\.\d+\n", image.run())


def hello_world(image, folder):
    assert re.fullmatch(r"Hello, world! This is Python 3\.13\.\d+, as user 65532\.\n", image.run())
    assert image.run("Łódź").startswith("Hello, Łódź!")


def flask(image, folder):
    server = image.start().listens(8000)
    assert request(8000, "/?name=<you>") == (200, "<!doctype html><title>Hello</title><p>Hello, &lt;you&gt;!")
    assert request(8000, "/nowhere")[0] == 404
    status, text = request(8000, "/health")
    health = json.loads(text)
    assert status == 200 and health["status"] == "ok", text
    # One of two workers; the master is process 1.
    assert len(children(server.pid())) == 2 and health["worker"] > 1, text
    server.ends_on_sigterm()
    log = server.said("err")
    # Each said goodbye, rather than being killed with the namespace.
    assert log.count("Worker exiting") == 2 and "Shutting down: Master" in log, log


def fastapi(image, folder):
    server = image.start().listens(8000)
    status, text = request(8000, "/")
    assert (status, json.loads(text)) == (200, {"hello": "world", "loop": "uvloop"}), text
    assert request(8000, "/items", {"name": "tea", "price": 100}) == (200, '{"total":119.0,"name":"tea"}')
    status, text = request(8000, "/items", {"name": "tea", "price": "dear"})
    assert status == 422 and json.loads(text)["detail"][0]["loc"] == ["body", "price"], text
    loaded = Path(f"/proc/{server.pid()}/maps").read_text()
    for library in (r"/uvloop/loop\.cpython-313-.*\.so", r"/httptools/parser/parser\.cpython-313-.*\.so"):
        assert re.search(library, loaded), f"{library} is not loaded"
    server.ends_on_sigterm()
    assert "Application shutdown complete" in server.said("err"), server.said("err")


def pandas(image, folder):
    sums, cities = defaultdict(float), set()
    with open(folder / "app/sales.csv", newline="") as file:
        for row in csv.DictReader(file):
            sums[row["day"][:7], row["city"]] += int(row["pieces"]) * float(row["price"])
            cities.add(row["city"])
    head, *rows = csv.reader(image.run().splitlines())
    assert head == ["day", *sorted(cities)], head
    found = {(month, city): float(value) for month, *values in rows for city, value in zip(sorted(cities), values)}
    assert len(found) == len(rows) * len(cities) and {month for month, _ in found} == {month for month, _ in sums}
    for key, value in found.items():
        assert abs(value - sums.get(key, 0)) < 0.005, (key, value)


def grpc(image, folder):
    pair = {name: (folder / name).read_text() for name in ("tls.key", "tls.crt")}
    image.secret("run/secrets/tls", pair)
    server = image.start().says("ready")
    assert image.run("/app/client.py", "localhost:50051", "Ada") == "Hello, Ada!\n1 A\n2 d\n3 a\n"
    # Not by chance: the name must be the certificate's, and its CA one of the image's.
    wrong = image.start("/app/client.py", "127.0.0.2:50051", "Ada")
    wrong.ended(1)
    assert wrong.said("err").startswith("UNAVAILABLE"), wrong.said("err")
    # Nor with other roots than the image's.
    others = image.start("/app/client.py", "localhost:50051", "Ada", SSL_CERT_FILE="/etc/debian_version")
    others.ended(1)
    server.ends_on_sigterm()
    assert server.said() == "ready\nstopped\n"


def kubernetes(image, folder):
    token = hashlib.sha256(os.urandom(32)).hexdigest()
    events = [
        {"type": kind, "object": {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": name}, "status": {"phase": phase}}}
        for kind, name, phase in (("ADDED", "web-0", "Pending"), ("MODIFIED", "web-0", "Running"), ("DELETED", "job-7", "Succeeded"))
    ]
    asked = []

    class Api(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            asked.append(self.path)
            scheme, _, bearer = self.headers.get("Authorization", "").partition(" ")
            allowed = "/namespaces/shop/" in self.path and (scheme.lower(), bearer) == ("bearer", token)
            self.send_response(200 if allowed else 403)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            # Broken where it hurts: in the middle of a line, as a network does it.
            text = "".join(json.dumps(event) + "\n" for event in events) if allowed else "{}"
            for part in (text[:25], text[25:], ""):
                self.wfile.write(f"{len(part):x}\r\n{part}\r\n".encode())
                self.wfile.flush()

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    account = {"token": token, "ca.crt": (folder / "ca.crt").read_text(), "namespace": "shop"}
    image.secret("run/secrets/kubernetes.io/serviceaccount", account)
    env = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(server.server_port)}
    found = image.run("--namespace", "shop", "--seconds", "1", **env)
    # The server's stream ends, and the client watches on until its time is over.
    assert found.startswith("added    web-0  Pending\nmodified web-0  Running\ndeleted  job-7  Succeeded\n"), found
    assert re.match(r"/api/v1/namespaces/shop/pods\?.*watch=true", asked[0]), asked
    refused = image.start("--namespace", "bank", **env)
    refused.ended(1)
    assert refused.said("err") == "Error: the API server says 403 Forbidden\n", refused.said("err")
    assert "Usage: pods.py [OPTIONS]" in image.run("--help")
    server.shutdown()


def find_library(image, folder):
    for text in ("", "compose"):
        digest = hashlib.blake2b(text.encode(), digest_size=32).hexdigest()
        assert image.run(stdin=text) == f"libsodium.so.23 {digest}\n"


def worker(image, folder):
    job = image.start().says("noon in New York is 2026-07-01T21:30:00+05:30")
    total = sum(number * number for number in range(100))
    job.ask("SIGHUP")
    job.says(f"SIGHUP 100 {total}")
    job.ends_on_sigterm()
    assert job.said().splitlines()[1:] == [f"SIGHUP 100 {total}", f"SIGTERM 100 {total}"], job.said()
    import sqlite3

    with sqlite3.connect(image.root / "tmp/squares.db") as db:
        assert db.execute("select square from squares where number = 12").fetchone() == (144,)
        workers = [pid for (pid,) in db.execute("select distinct worker from squares")]
    assert workers and 1 not in workers, workers


EXAMPLES = {
    "version": version, "hello-world": hello_world, "flask": flask, "fastapi": fastapi, "pandas": pandas, "grpc": grpc,
    "kubernetes": kubernetes, "ctypes": find_library, "worker": worker,
}  # fmt: skip


def too_long(*_):
    raise TimeoutError(f"not done after {WHOLE} s")


def main():
    if sys.argv[1] == "inside":
        inside(sys.argv[2])
    name, rootfs, archive, folder = sys.argv[1:]
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(WHOLE)
    loopback_up()
    image = Image(Path(rootfs).resolve(), archive)
    cage(image)
    EXAMPLES[name](image, Path(folder))
    print("works")


if __name__ == "__main__":
    main()
