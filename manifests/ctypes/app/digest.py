import ctypes
import ctypes.util
import sys

name = ctypes.util.find_library("sodium")
if name is None:
    sys.exit("libsodium is not here")
sodium = ctypes.CDLL(name)
if sodium.sodium_init() < 0:
    sys.exit("libsodium does not start")
text = sys.stdin.buffer.read()
digest = ctypes.create_string_buffer(32)
sodium.crypto_generichash(digest, ctypes.c_size_t(32), text, ctypes.c_ulonglong(len(text)), None, ctypes.c_size_t(0))
print(name, digest.raw.hex())
