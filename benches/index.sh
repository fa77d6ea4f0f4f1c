#!/usr/bin/env bash
# Index parsing beside other programs, on the same file in the same run: prints MB/s, medians of five.
# Needs what it compares with: python3-solv (libsolv), apt and python3-apt; what is absent is said. Interleaved, so
# that a slow minute of the machine hits all of them.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo bench --locked --bench index -- "$@"
index=${COMPOSE_BENCH_INDEX:-target/bench-index/Packages}
program=$(find target/release/deps -name 'index-*' -type f -executable -printf '%T@ %p\n' | sort -rn | head -n 1 | cut -d ' ' -f 2)
exec /usr/bin/python3 benches/peers.py "$index" "$program"
