import os
import sys

name = sys.argv[1] if len(sys.argv) > 1 else "world"
print(f"Hello, {name}! This is Python {sys.version.split()[0]}, as user {os.getuid()}.")
