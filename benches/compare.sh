#!/usr/bin/env bash
# Whole runs side by side: compose (cold, warm, nothing changed), mmdebstrap's extract-only variant, a loop over
# dpkg-deb -x, and the bare work that cannot be done without: decompressing, hashing, copying, untarring.
#
#   benches/compare.sh [MANIFEST] [RUNS]      default: manifests/python3.toml, ten of each, interleaved
#
# The set of packages is what MANIFEST's lock says, which is made if it is missing. Prints medians as a Markdown table:
# wall and CPU seconds, peak memory (of the largest process), and ratios within this run. Needs GNU time; what else is
# absent (mmdebstrap, pigz) is said, and its rows are left out. Rows that fetch nothing take their .debs from where
# compose keeps them; mmdebstrap fetches its own from the machine's mirror each time, as it always does.
set -euo pipefail
cd "$(dirname "$0")/.."
manifest=${1:-manifests/python3.toml}
runs=${2:-10}
cargo build --release --locked --quiet
compose=$PWD/target/release/compose
work=$(mktemp -d "${TMPDIR:-/tmp}/compose-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
name=$(sed -n 's/^name *= *"\([^"]*\)".*/\1/p' "$manifest" | head -n 1)
mkdir -p "$work/m" "$work/out" "$work/times"
cp "$manifest" "$work/m/$name.toml"
lock=snapshots/$name.lock
if [ -f "$lock" ]; then mkdir -p "$work/m/snapshots" && cp "$lock" "$work/m/snapshots/"; fi
export COMPOSE_CACHE=$work/cache
cd "$work/out"

# run NAME COMMAND…: its times go to a file of that name.
run() {
    local name=$1
    shift
    command time -a -o "$work/times/$name" -f '%e %U %S %M' "$@" >/dev/null 2>"$work/stderr" ||
        { echo "$name failed:" && cat "$work/stderr" && exit 1; } >&2
}
build() { "$compose" "$work/m/$name.toml" "$@"; }

build -o a.oci.tar -o a.tar >/dev/null 2>&1
ls "$COMPOSE_CACHE"/debs/* >"$work/debs"
arch=$(dpkg --print-architecture)
packages=$(sed -n "/^\[\[target\.$arch\.package/{n;s/^name = \"\(.*\)\"/\1/p}" "$work/m/snapshots/$name.lock" | paste -sd,)
suite=$(sed -n 's/^suite *= *"\([^"]*\)".*/\1/p' "$work/m/$name.toml" | head -n 1)
bytes=$(stat -c %s a.tar)
layer=$(stat -c %s a.oci.tar)
jobs=$(nproc)

cat >"$work/fsys" <<END
xargs -P $jobs -n 1 sh -c 'dpkg-deb --fsys-tarfile "\$0" >/dev/null' <"$work/debs"
END
cat >"$work/loop" <<END
while read -r deb; do dpkg-deb -x "\$deb" "\$1"; done <"$work/debs"
END
cat >"$work/hash" <<END
sha256sum a.tar && sha256sum layer && cp a.oci.tar b.oci.tar
END
# The layer alone, as any registry client sees it.
mkdir o && tar -C o -xf a.oci.tar && ls -S o/blobs/sha256/* | head -n 1 | xargs -I{} cp {} layer && rm -rf o
has() { command -v "$1" >/dev/null || { echo "absent: $1" >&2 && false; }; }
has mmdebstrap && mmdebstrap=yes || mmdebstrap=
has pigz && pigz=yes || pigz=

# Folders are new for each run and none is removed before the end: ext4 makes files much more slowly for some seconds
# after many were removed.
for i in $(seq "$runs"); do
    for form in tar oci.tar; do
        rm -rf "$COMPOSE_CACHE/segments" "$COMPOSE_CACHE/packs" c.$form
        run "cold-$form" "$compose" "$work/m/$name.toml" -o c.$form
        rm -f c.$form
        run "warm-$form" "$compose" "$work/m/$name.toml" -o c.$form
        run "same-$form" "$compose" "$work/m/$name.toml" -o c.$form
        cmp -s a.$form c.$form || { echo "$form differs" >&2 && exit 1; }
    done
    mkdir "y$i" "x$i"
    run directory "$compose" "$work/m/$name.toml" -o "d$i/"
    run untar tar -C "y$i" -xf a.tar
    run fsys bash "$work/fsys"
    run loop bash "$work/loop" "x$i"
    run hash bash "$work/hash"
    [ -z "$pigz" ] || run pigz pigz -6 -k -f a.tar
    [ -z "$mmdebstrap" ] || run mmdebstrap mmdebstrap --quiet --variant=extract --include="$packages" "$suite" m.tar
done

median() { cut -d ' ' -f "$2" "$work/times/$1" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
cpu() { awk '{ print $2 + $3 }' "$work/times/$1" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
wall() { median "$1" 1; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }
echo "$(wc -l <"$work/debs") packages, $bytes bytes as a plain tar, $layer as .oci.tar; $jobs threads; medians of $runs runs"
echo
echo "| | wall s | CPU s | peak MiB |"
echo "|---|---|---|---|"
row() {
    [ -f "$work/times/$1" ] || return 0
    printf '| %s | %s | %s | %s |\n' "$2" "$(wall "$1")" "$(cpu "$1")" "$(($(median "$1" 4) / 1024))"
}
row cold-tar "compose, .debs there, nothing unpacked, to .tar"
row cold-oci.tar "compose, the same, to .oci.tar"
row warm-tar "compose, warm, to .tar"
row warm-oci.tar "compose, warm, to .oci.tar"
row same-oci.tar "compose, nothing changed, to .oci.tar"
row directory "compose, warm, to a directory"
row mmdebstrap "mmdebstrap --variant=extract, to .tar"
row loop "dpkg-deb -x, one after the other"
row fsys "dpkg-deb --fsys-tarfile >/dev/null, $jobs at a time"
row pigz "pigz -6 of the .tar"
row hash "sha256sum of .tar and layer, cp of .oci.tar"
row untar "tar -xf of the .tar"
echo
limit=$(wall fsys)
echo "cold to .tar / dpkg-deb --fsys-tarfile: $(ratio "$(wall cold-tar)" "$limit")"
if [ -n "$pigz" ]; then
    sum=$(awk -v a="$limit" -v b="$(wall pigz)" 'BEGIN { print a + b }')
    echo "cold to .oci.tar / dpkg-deb --fsys-tarfile and pigz -6: $(ratio "$(wall cold-oci.tar)" "$sum")"
fi
if [ -n "$mmdebstrap" ]; then
    echo "mmdebstrap / cold to .oci.tar: $(ratio "$(wall mmdebstrap)" "$(wall cold-oci.tar)")"
    echo "mmdebstrap / warm to .oci.tar: $(ratio "$(wall mmdebstrap)" "$(wall warm-oci.tar)")"
fi
echo "warm to .oci.tar / sha256sum, sha256sum, cp: $(ratio "$(wall warm-oci.tar)" "$(wall hash)")"
echo "directory / tar -xf: $(ratio "$(wall directory)" "$(wall untar)")"
