//! An [`Audit`] as JSON. The schema has a version; what is added to it later keeps the version, what is taken away or
//! changes its meaning raises it.

use serde_json::{Value, json};

use super::{Audit, Files, Weakness};
use crate::{
    advisory::Report,
    base::{PackageName, Sha256},
    check::report,
    inventory::{ContentSize, Distro, Inventory, Licence, Package, Project},
};

/// The schema of what [`json`] gives, as a JSON Schema (draft 2020-12).
pub const SCHEMA: &str = include_str!("schema.json");

/// The name and version of the schema.
const NAME: &str = "compose-audit/1";

/// The whole audit.
pub fn json(audit: &Audit) -> Value {
    let Audit { subject, inventory, scripts, files, vulnerabilities } = audit;
    let scripts = scripts.as_ref().map(|scripts| {
        let one = |(name, script): &(PackageName, Box<str>)| json!({ "package": name.as_str(), "script": script });
        scripts.iter().map(one).collect::<Vec<_>>()
    });
    let hex = |digest: &Sha256| digest.to_string();
    let cut = inventory
        .cut
        .iter()
        .map(|cut| json!({ "package": cut.package, "dependency": cut.dependency, "reason": cut.reason }));
    json!({
        "schema": NAME,
        "target": subject.target,
        "form": subject.looked.as_str(),
        "name": inventory.name,
        "arch": inventory.arch.map(|arch| arch.as_str()),
        "distro": distro(&inventory.distro),
        "created": inventory.created.map(|time| time.to_string()),
        "user": subject.user,
        "tree": subject.tree.as_ref().map(hex),
        "manifest": subject.manifest.as_ref().map(hex),
        "layers": subject.layers.iter().map(hex).collect::<Vec<_>>(),
        "packages": inventory.packages.iter().map(package).collect::<Vec<_>>(),
        "python": inventory.projects.iter().map(project).collect::<Vec<_>>(),
        "tarballs": tarballs(inventory),
        "cut": cut.collect::<Vec<_>>(),
        "scripts-not-reproduced": scripts,
        "files": files.as_ref().map(of_files),
        "vulnerabilities": vulnerabilities.as_ref().map(Report::json),
        "notes": inventory.notes,
    })
}

fn distro(distro: &Distro) -> Value {
    json!({
        "id": distro.id, "version": distro.version_id, "codename": distro.codename, "full-version": distro.full_version,
    })
}

fn tarballs(inventory: &Inventory) -> Vec<Value> {
    inventory.tarballs.iter().map(|tarball| json!({ "name": tarball.name, "sha256": tarball.sha256.hex() })).collect()
}

fn package(package: &Package) -> Value {
    let deb = package.deb.as_ref();
    json!({
        "name": package.name.as_str(),
        "version": package.version.as_str(),
        "arch": package.arch,
        "source": package.source,
        "source-version": package.source_version.as_str(),
        "installed-size": package.installed_size,
        "content": content(package.content),
        "licence": licence(&package.licence),
        "maintainer": package.maintainer,
        "homepage": package.homepage,
        "summary": package.summary,
        "repository": package.repository,
        "deb": deb.map(|deb| json!({ "filename": deb.filename, "size": deb.size, "sha256": deb.sha256.hex() })),
        "required-by": package.required_by,
    })
}

fn project(project: &Project) -> Value {
    let wheel = project.wheel.as_ref();
    json!({
        "name": project.name.as_str(),
        "version": project.version,
        "summary": project.summary,
        "licence": licence(&project.licence),
        "homepage": project.homepage,
        "path": project.path.as_ref().map(ToString::to_string),
        "package": project.package.as_ref().map(PackageName::as_str),
        "content": content(project.content),
        "wheel": wheel.map(|w| json!({ "filename": w.filename, "size": w.size, "sha256": w.sha256.hex() })),
    })
}

fn content(size: Option<ContentSize>) -> Option<Value> {
    size.map(|size| json!({ "files": size.files, "bytes": size.bytes }))
}

fn licence(licence: &Licence) -> Value {
    json!({ "names": licence.names, "spdx": licence.spdx })
}

fn of_files(files: &Files) -> Value {
    let weak = |weak: &Weakness| json!({ "path": weak.path.to_string(), "origin": report::origin_json(&weak.origin), "lacks": weak.lacks });
    let stray = files.stray.iter().map(|stray| json!({ "path": stray.path.to_string(), "size": stray.size }));
    let hard = &files.hardened;
    json!({
        "count": files.count,
        "bytes": files.bytes,
        "belonging-to-nothing": stray.collect::<Vec<_>>(),
        "findings": files.findings.iter().map(report::json).collect::<Vec<_>>(),
        "elf": {
            "total": hard.total, "programs": hard.programs, "pie": hard.pie, "relro": hard.relro,
            "full-relro": hard.full_relro, "nx-stack": hard.nx_stack, "stack-protector": hard.stack_protector,
            "fortify": hard.fortify, "weak": hard.weak.iter().map(weak).collect::<Vec<_>>(),
        },
    })
}
