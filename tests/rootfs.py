"""Runs inside a composed image, as its user, with nothing in the environment: what a Python program expects."""

import asyncio, ctypes, ctypes.util, importlib, importlib.util, locale, os, pkgutil, pwd, sqlite3, ssl, subprocess, sys, tempfile, zoneinfo

failed = []
split_out = []
# Under qemu-user: nothing is started, since what an image starts is for a kernel of its own machine; and only what is a
# shared library is imported, which takes the emulator long enough.
emulated = "emulated" in sys.argv


def walk():
    """Every module of the standard library that the image ships."""
    names = set(sys.builtin_module_names)
    if emulated:
        folder = next(p for p in sys.path if p.endswith("lib-dynload"))
        return sorted(names | {name.split(".")[0] for name in os.listdir(folder)})
    for entry in (p for p in sys.path if p.startswith("/usr/lib/python3")):
        for module in pkgutil.walk_packages([entry], onerror=lambda name: None):
            names.add(module.name)
    return sorted(names)


# Importing these runs a program or needs another system; the interpreter's own documentation says so.
ELSEWHERE = {"antigravity", "this"}
ELSEWHERE_SUFFIX = (".__main__",)
OTHER_SYSTEM = {
    "asyncio.windows_events", "asyncio.windows_utils", "ctypes.wintypes", "encodings.mbcs", "encodings.oem",
    "multiprocessing.popen_spawn_win32", "_pyrepl.windows_console", "_pyrepl.windows_eventqueue", "_ios_support",
    "_android_support", "_apple_support", "_aix_support", "_osx_support", "_winapi", "msvcrt", "winreg",
}
# Debian's own hook for setuptools, which brings the distutils that it imports.
ELSEWHERE.add("_distutils_system_mod")
for name in sorted(sys.stdlib_module_names):
    if importlib.util.find_spec(name) is None:
        split_out.append(name)
needs_more = []
imported = 0
for name in walk():
    if name in ELSEWHERE or name in OTHER_SYSTEM or name.endswith(ELSEWHERE_SUFFIX):
        continue
    try:
        importlib.import_module(name)
        imported += 1
    except BaseException as error:  # SystemExit too
        # A module may need one that Debian ships in a package of its own, and says so.
        missing = [m for m in split_out if f"No module named '{m}'" in str(error)]
        if missing:
            needs_more.append(f"{name} ({missing[0]})")
        else:
            failed.append(f"{name}: {error!r}")

assert os.getuid() == 65532, os.getuid()
assert len(ssl.create_default_context().get_ca_certs()) > 100
assert zoneinfo.ZoneInfo("Europe/Berlin").key == "Europe/Berlin"
assert pwd.getpwuid(65532).pw_name == "nonroot"
assert pwd.getpwnam("root").pw_uid == 0
assert locale.setlocale(locale.LC_ALL, "C.UTF-8") == "C.UTF-8"
with sqlite3.connect(":memory:") as db:
    assert db.execute("select 6 * 7").fetchone() == (42,)
assert emulated or ctypes.util.find_library("c") == "libc.so.6", ctypes.util.find_library("c")
assert ctypes.CDLL(None).getuid() == 65532
assert asyncio.run(asyncio.sleep(0, "done")) == "done"
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "grün-日本.txt")
    with open(path, "w") as file:
        file.write("ü")
    assert os.listdir(folder) == ["grün-日本.txt"]
try:
    subprocess.run("x", shell=True)
except FileNotFoundError:
    pass
else:
    # qemu-user forks where a program asks for vfork, and what the child could not start is lost on the way.
    assert emulated, "there is a shell"

print("imported", imported)
print("not shipped:", " ".join(split_out))
print("needs one of those:", ", ".join(needs_more))
print("failed:", "; ".join(failed))
sys.exit(1 if failed else 0)
