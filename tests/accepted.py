"""OCI layouts and archives, held against the image specification.

    python tests/accepted.py SCHEMAS LAYOUT|ARCHIVE.oci.tar…

In: the folder of the specification's own JSON schemas, and images. Out: a line for each image, with what was looked at, or
with each fault; the exit code is 1 if there is one. Every blob is read: it must be named by a descriptor, be what its digest
and size say, and be valid by the schema of its media type; a layer must unpack to its diffID, and hold no path twice. What
the schemas leave out is checked by the words of version 1.1 (image-layout.md, manifest.md, layer.md, annotations.md).
"""

import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import zlib
from pathlib import Path

import jsonschema
from referencing import Registry
from referencing.jsonschema import DRAFT4

PREFIX = "application/vnd.oci."
INDEX, MANIFEST, CONFIG, EMPTY = (
    f"{PREFIX}{name}+json" for name in ("image.index.v1", "image.manifest.v1", "image.config.v1", "empty.v1")
)
LAYERS = {f"{PREFIX}image.layer.v1.tar+gzip": "gzip", f"{PREFIX}image.layer.v1.tar+zstd": "zstd"}
SCHEMAS = {INDEX: "image-index-schema.json", MANIFEST: "image-manifest-schema.json", CONFIG: "config-schema.json"}
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
# annotations.md: ref ::= component ("/" component)*, component ::= alphanum (separator alphanum)*
COMPONENT = r"[A-Za-z0-9]+((?:[-._:@+]|--)[A-Za-z0-9]+)*"
REF = re.compile(f"{COMPONENT}(/{COMPONENT})*")


def once(pairs):
    assert len({name for name, _ in pairs}) == len(pairs), f"a name twice: {pairs}"
    return dict(pairs)


def hashed(stream):
    """Digest and length."""
    state, length = hashlib.sha256(), 0
    while part := stream.read(1 << 20):
        state.update(part)
        length += len(part)
    return f"sha256:{state.hexdigest()}", length


def unpacked(path, how):
    """A layer's tar, as a file without a name."""
    out = tempfile.TemporaryFile()
    if how == "zstd":
        with open(path, "rb") as packed:
            subprocess.run(["zstd", "-dcq"], stdin=packed, stdout=out, check=True)
    else:
        with open(path, "rb") as packed:
            rest = b""
            while rest := rest or packed.read(1 << 20):  # member after member
                member = zlib.decompressobj(wbits=31)
                while not member.eof:
                    assert rest, "the last gzip member has no end"
                    out.write(member.decompress(rest))
                    rest = member.unused_data if member.eof else packed.read(1 << 20)
    out.seek(0)
    return out


# Layers by their digest, as an archive has those of a layout again.
READ = {}


def contents(path, how):
    """A layer's diffID, and what is wrong with its paths (layer.md)."""
    faults, seen = [], {"", "."}
    with unpacked(path, how) as plain:
        found = hashed(plain)[0]
        plain.seek(0)
        with tarfile.open(fileobj=plain, mode="r:") as tar:
            for entry in tar:
                name = entry.name.removeprefix("./").rstrip("/")
                if name in seen and name not in ("", "."):
                    faults.append(f"{name} is there twice")
                if name.rpartition("/")[0] not in seen:
                    faults.append(f"{name} comes before the directory that it is in")
                if name.startswith("/") or ".." in name.split("/") or ".wh." in name:
                    faults.append(f"the path {name}")
                seen.add(name)
    return found, faults


class Image:
    """A layout, and what is wrong with it."""

    def __init__(self, root, schemas):
        self.root, self.schemas, self.faults = root, schemas, []
        self.named, self.counts = set(), {}

        def load(uri):
            text = (schemas / uri.rsplit("/", 1)[-1]).read_text()
            return DRAFT4.create_resource(json.loads(text))

        self.registry = Registry(retrieve=load)

    def fault(self, where, what):
        self.faults.append(f"{where}: {what}")

    def valid(self, where, value, name):
        """By a schema of the specification's."""
        schema = json.loads((self.schemas / name).read_text())
        for error in jsonschema.Draft4Validator(schema, registry=self.registry).iter_errors(value):
            self.fault(where, f"{error.json_path}: {error.message}")

    def json(self, path):
        return json.loads((self.root / path).read_text(), object_pairs_hook=once)

    def annotations(self, where, of, is_top=False):
        for key, value in of.get("annotations", {}).items():
            if not key or not isinstance(value, str):
                self.fault(where, f"the annotation “{key}” is no string, or has no name")
            if key == "org.opencontainers.image.created" and not TIME.fullmatch(value):
                self.fault(where, f"created is no time by RFC 3339: {value}")
            if key == "org.opencontainers.image.ref.name" and not (is_top and REF.fullmatch(value)):
                self.fault(where, f"ref.name belongs on descriptors of index.json, and not as “{value}”")

    def blob(self, where, descriptor, is_top=False):
        """What a descriptor names; nothing if it is not there."""
        self.valid(where, descriptor, "content-descriptor.json")
        self.annotations(where, descriptor, is_top)
        digest = descriptor.get("digest", "")
        if not DIGEST.fullmatch(digest):
            return self.fault(where, f"the digest “{digest}”")
        path = self.root / "blobs/sha256" / digest[7:]
        if not path.is_file():
            return self.fault(where, f"there is no {digest}")
        if digest not in self.named:
            with open(path, "rb") as file:
                found = hashed(file)
            if found != (digest, descriptor.get("size")):
                self.fault(where, f"{digest} of {descriptor.get('size')} bytes is {found}")
        self.named.add(digest)
        return path

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def descend(self, where, descriptor, is_top=False):
        """An index or a manifest, and all below it."""
        path = self.blob(where, descriptor, is_top)
        if not path:
            return
        kind, here = descriptor["mediaType"], f"{where} > {descriptor['digest'][7:15]}"
        if kind not in (INDEX, MANIFEST):
            return self.fault(here, f"the media type {kind}")
        value = self.json(path)
        self.valid(here, value, SCHEMAS[kind])
        if value.get("mediaType") != kind:
            self.fault(here, f"it says to be {value.get('mediaType')}, and its descriptor {kind}")
        self.annotations(here, value)
        if kind == INDEX:
            self.count("index")
            for each in value.get("manifests", []):
                self.descend(here, each)
        elif value.get("config", {}).get("mediaType") == CONFIG:
            self.count("image")
            self.image(here, descriptor, value)
        else:
            self.count("artifact")
            self.artifact(here, descriptor, value)

    def image(self, here, descriptor, manifest):
        path = self.blob(f"{here} config", manifest["config"])
        if not path:
            return
        config = self.json(path)
        self.valid(f"{here} config", config, SCHEMAS[CONFIG])
        platform = descriptor.get("platform", {})
        for key in ("architecture", "os", "variant"):
            if platform.get(key) != config.get(key):
                self.fault(here, f"{key} is {platform.get(key)} in its descriptor, and {config.get(key)} in its config")
        history = config.get("history", [])
        for what, value in (("config", config), *(("history", each) for each in history)):
            if not TIME.fullmatch(value.get("created", "")):
                self.fault(here, f"created of {what}: {value.get('created')}")
        diff_ids = config.get("rootfs", {}).get("diff_ids", [])
        filled = [each for each in history if not each.get("empty_layer")]
        layers = manifest.get("layers", [])
        if not len(layers) == len(diff_ids) == len(filled):
            self.fault(here, f"{len(layers)} layers, {len(diff_ids)} diffIDs, {len(filled)} entries of history")
        for number, (layer, diff_id) in enumerate(zip(layers, diff_ids)):
            self.layer(f"{here} layer {number}", layer, diff_id)

    def layer(self, here, descriptor, diff_id):
        path = self.blob(here, descriptor)
        if not path:
            return
        how = LAYERS.get(descriptor["mediaType"])
        if not how:
            return self.fault(here, f"the media type {descriptor['mediaType']}")
        self.count(f"{how} layer")
        if path.name not in READ:
            READ[path.name] = contents(path, how)
        found, faults = READ[path.name]
        if found != diff_id:
            self.fault(here, f"it unpacks to {found}, and its diffID is {diff_id}")
        for each in faults:
            self.fault(here, each)

    def artifact(self, here, descriptor, manifest):
        """manifest.md, “Guidelines for Artifact Usage”: an SBOM that refers to an image."""
        kind = manifest.get("artifactType")
        if manifest["config"]["mediaType"] != EMPTY or not kind or descriptor.get("artifactType") != kind:
            self.fault(here, f"artifactType is {kind}, and {descriptor.get('artifactType')} in its descriptor")
        path = self.blob(f"{here} config", manifest["config"])
        if path and path.read_bytes() != b"{}":
            self.fault(here, "its config is not empty")
        subject = manifest.get("subject", {})
        if not self.blob(f"{here} subject", subject) or subject.get("mediaType") not in (INDEX, MANIFEST):
            self.fault(here, f"its subject is {subject}")
        for layer in manifest["layers"]:
            path = self.blob(f"{here} layer", layer)
            if path:
                self.json(path)

    def docker(self, text):
        """What docker load reads of an archive: a list of files that are there, of the same images."""
        for image in json.loads(text, object_pairs_hook=once):
            for name in (image["Config"], *image["Layers"]):
                if name.replace("/", ":").removeprefix("blobs:") not in self.named:
                    self.fault("manifest.json", f"{name} is in no image")
            if not image["RepoTags"]:
                self.fault("manifest.json", "no tag")

    def look(self):
        self.valid("oci-layout", self.json("oci-layout"), "image-layout-schema.json")
        index = self.json("index.json")
        self.valid("index.json", index, SCHEMAS[INDEX])
        if index.get("mediaType") != INDEX:
            self.fault("index.json", f"it says to be {index.get('mediaType')}")
        self.annotations("index.json", index)
        for descriptor in index.get("manifests", []):
            self.descend("index.json", descriptor, is_top=True)
        if not self.counts.get("image"):
            self.fault("index.json", "no image")
        files = {str(path.relative_to(self.root)) for path in self.root.rglob("*") if not path.is_dir()}
        named = {f"blobs/sha256/{digest[7:]}" for digest in self.named}
        if (self.root / "manifest.json").exists():
            self.docker((self.root / "manifest.json").read_text())
        for path in sorted(files - named - {"oci-layout", "index.json", "manifest.json"}):
            self.fault(path, "nothing names it")


def main():
    schemas, *images = map(Path, sys.argv[1:])
    wrong = False
    for path in images:
        with tempfile.TemporaryDirectory() as scratch:
            root = path.resolve()
            if not path.is_dir():
                root = Path(scratch)
                with tarfile.open(path, "r:") as tar:
                    names = tar.getnames()
                    assert len(set(names)) == len(names), f"{path} has a file twice"
                    tar.extractall(root, filter="data")
            image = Image(root, schemas)
            try:
                image.look()
            except (OSError, ValueError, KeyError, TypeError, AssertionError, zlib.error, tarfile.TarError) as error:
                image.fault("all", repr(error))
        wrong |= bool(image.faults)
        counts = ", ".join(f"{count} {what}" for what, count in sorted(image.counts.items()))
        print(f"{path}: {counts}, {len(image.named)} blobs", *image.faults, sep="\n  ")
    sys.exit(wrong)


if __name__ == "__main__":
    main()
