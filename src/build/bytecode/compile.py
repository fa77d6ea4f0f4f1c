# Compiles Python modules to unchecked hash-based pycs (PEP 552). Run by the interpreter that they are for, with -c.
#
# In, on stdin, for each module: length of its path and of its source (two little-endian 64-bit numbers), both.
# Out, on stdout: first a line that says who compiles; then for each module "c" or "n" (it does not compile), a length
# and so many bytes. Nothing is read from or written to any file, and nothing of what is compiled is run.

import sys

sys.path[:] = [folder for folder in sys.path if folder]  # with -c the first is the working directory

# All of them are inside the interpreter: the standard library need not be complete.
import _imp
import _thread
import marshal

MAGIC = sys.modules["_frozen_importlib_external"].MAGIC_NUMBER
UNCHECKED = (0b01).to_bytes(4, "little")


def pyc(path, source):
    try:
        code = compile(source, path.decode("utf-8", "surrogateescape"), "exec", dont_inherit=True, optimize=0)
        code = marshal.dumps(code)
    except MemoryError:
        raise  # says nothing about the source
    except Exception:
        return None
    return MAGIC + UNCHECKED + _imp.source_hash(int.from_bytes(MAGIC, "little"), source) + code


def serve(stdin, stdout):
    who = sys.implementation
    stdout.write(b"%s %s %d.%d\n" % (who.name.encode(), str(who.cache_tag).encode(), *sys.version_info[:2]))
    stdout.flush()
    while True:
        head = stdin.read(16)
        if len(head) < 16:
            return
        path = stdin.read(int.from_bytes(head[:8], "little"))
        made = pyc(path, stdin.read(int.from_bytes(head[8:], "little")))
        stdout.write(b"n" if made is None else b"c")
        stdout.write(len(made or b"").to_bytes(8, "little"))
        stdout.write(made or b"")
        stdout.flush()


def in_thread():
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer)
        failed.clear()
    finally:
        done.release()


# How deeply an expression may be nested depends on the stack: that of a thread has the same size everywhere.
failed = [True]
done = _thread.allocate_lock()
done.acquire()
_thread.stack_size(32 << 20)
_thread.start_new_thread(in_thread, ())
done.acquire()
sys.exit(len(failed))
