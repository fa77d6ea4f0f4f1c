"""SBOMs and package URLs, read by the public implementations.

In: pairs of a form (spdx, spdx3, cyclonedx, purl) and a file. Out: a line for each file: FORM, then "ok", "absent" and the
module that is missing, or what is wrong. spdx is for spdx-tools, spdx3 for spdx-python-model, whose classes are made from
the SHACL model of the specification, cyclonedx for cyclonedx-python-lib with the JSON schema that it carries, and purl, one
on a line, for packageurl-python.
"""

import sys


def spdx(path):
    from spdx_tools.spdx.parser.parse_anything import parse_file
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    document = parse_file(path)
    faults = validate_full_spdx_document(document, "SPDX-2.3")
    return [f"{fault.context.spdx_id}: {fault.validation_message}" for fault in faults]


def spdx3(path):
    import io

    from spdx_python_model import v3_0_1 as model

    objects = model.SHACLObjectSet()
    with open(path, "rb") as file:
        model.JSONLDDeserializer().read(file, objects)
    # Writing checks how often each property is there.
    model.JSONLDSerializer().write(objects, io.BytesIO())
    faults = [f"{iri}: nothing is called so" for iri in sorted(objects.missing_ids)]
    documents = list(objects.foreach_type(model.SpdxDocument))
    if len(documents) != 1:
        faults.append(f"{len(documents)} documents")
    return faults


def cyclonedx(path):
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    with open(path, encoding="utf-8") as file:
        fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(file.read())
    return [str(fault)] if fault else []


def purl(path):
    from packageurl import PackageURL

    faults = []
    with open(path, encoding="ascii") as file:
        for line in file.read().splitlines():
            again = PackageURL.from_string(line).to_string()
            if again != line:
                faults.append(f"{line} comes back as {again}")
    return faults


READERS = {"spdx": spdx, "spdx3": spdx3, "cyclonedx": cyclonedx, "purl": purl}

for form, path in zip(sys.argv[1::2], sys.argv[2::2]):
    try:
        faults = READERS[form](path)
    except ImportError as error:
        print(f"{form} absent {error.name}")
    except Exception as error:  # Whatever a reader dislikes is a finding.
        print(f"{form} {type(error).__name__}: {error}".replace("\n", " "))
    else:
        print(f"{form} " + ("; ".join(faults).replace("\n", " ") or "ok"))
