//! What the program sees: its root, read-only, and mounted in it what a container runtime brings.
//!
//! In: the plan. Out: this process in that root, and nothing else mounted. See mount_namespaces(7), pivot_root(2).
//!
//! Places in the root are found by `openat2` as the program would find them, links and all, and so lead nowhere else. A
//! place that is missing is made: the root is a folder of this run alone, and what lies in a volume is the user's wish.

use std::{
    ffi::{CString, OsStr},
    fs,
    os::{
        fd::{AsFd as _, AsRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{CWD, FileType, Mode, OFlags, ResolveFlags, StatVfsMountFlags},
    io::Errno,
    mount::{MountFlags, UnmountFlags, mount, mount_bind_recursive, mount_remount, unmount},
};

use super::{
    error::Fault,
    plan::{HOSTNAME, HOSTS, Network, Plan, Report, Volume},
};
use crate::base::{MAX_LINKS, refusal};

/// What docker's default hides of `/proc`, and what it lets nobody write to (moby, oci/defaults.go). Root in an image is
/// root here where compose was started by root.
const MASKED: [&str; 9] =
    ["acpi", "asound", "interrupts", "kcore", "keys", "latency_stats", "sched_debug", "scsi", "timer_list"];
const READ_ONLY: [&str; 5] = ["bus", "fs", "irq", "sys", "sysrq-trigger"];
/// Devices that every runtime brings (OCI runtime specification, config-linux.md).
const DEVICES: [&str; 6] = ["full", "null", "random", "tty", "urandom", "zero"];
/// Links that it wants there.
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// No set-id bit and no device counts.
const APART: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);
const DATA: MountFlags = APART.union(MountFlags::NOEXEC);

/// Makes the root and goes into it.
pub(super) fn enter(plan: &Plan, report: &mut Report) -> Result<(), Fault> {
    let rootfs = plan.rootfs();
    mount_bind_recursive(&rootfs, &rootfs).map_err(Fault::root("mount the root"))?;
    let root = Root(
        rustix::fs::openat(CWD, &rootfs, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(Fault::root("open the root"))?,
    );
    let (uid, gid) = (plan.user.uid, plan.user.gid);
    proc(&root, plan, report)?;
    devices(&root, gid)?;
    root.fresh("/tmp", "tmpfs", DATA, "mode=1777")?;
    root.fresh("/run", "tmpfs", DATA, &format!("mode=755,uid={uid},gid={gid}"))?;
    for (file, place) in [(HOSTS, "/etc/hosts"), (HOSTNAME, "/etc/hostname")] {
        root.bind(&plan.folder.join(file), place, DATA | MountFlags::RDONLY)?;
    }
    if plan.network == Network::Host
        && let Ok(resolv) = fs::canonicalize("/etc/resolv.conf")
    {
        root.bind(&resolv, "/etc/resolv.conf", DATA | MountFlags::RDONLY)?;
    }
    for place in &plan.writable {
        root.folder(place).map_err(Fault::root(format!("make {}", place.display())))?;
        let at = root.path_of(place).map_err(Fault::root(format!("find {}", place.display())))?;
        root.bind(&at, place, APART)?;
    }
    for volume in &plan.volumes {
        self::volume(&root, volume)?;
    }
    root.folder(&plan.workdir).map_err(|error| {
        let text = format!("the working directory {}: {}", plan.workdir.display(), std::io::Error::from(error));
        Fault::new(refusal::WORKDIR_UNUSABLE, text)
    })?;
    let dev = root.path_of(Path::new("/dev")).map_err(Fault::root("find /dev"))?;
    limit(&dev, MountFlags::NOSUID | MountFlags::NOEXEC | MountFlags::RDONLY)
        .map_err(Fault::root("make /dev read-only"))?;
    limit(&rootfs, APART | MountFlags::RDONLY).map_err(Fault::root("make the root read-only"))?;
    // The old root comes to lie over the new one, and goes (pivot_root(2), “pivot_root(".", ".")”).
    rustix::process::fchdir(&root.0).map_err(Fault::root("enter the root"))?;
    rustix::process::pivot_root(".", ".").map_err(Fault::root("change the root"))?;
    unmount(".", UnmountFlags::DETACH).map_err(Fault::root("leave the machine's root"))?;
    rustix::process::chdir("/").map_err(Fault::root("enter the root"))
}

/// `/proc` of the new pid namespace. Where the machine's has something hidden, as in a container, a user namespace gets
/// none that is whole (mount_too_revealing in the kernel's fs/namespace.c): then the machine's own has to do.
/// Of no use without a user namespace: through `/proc/PID/root` of processes of the same user the program would be out of its
/// root.
fn proc(root: &Root, plan: &Plan, report: &mut Report) -> Result<(), Fault> {
    match root.fresh("/proc", "proc", DATA, "") {
        Ok(()) => {}
        Err(fault) if !plan.user_namespace => {
            let text = "parts of this machine's are hidden, as in a container; run compose as an ordinary user there";
            return Err(Fault::new(refusal::ROOT_NOT_SET_UP, format!("{}: {text}", fault.text)));
        }
        Err(_) => {
            root.bind(Path::new("/proc"), "/proc", DATA | MountFlags::RDONLY)?;
            report.note(
                "/proc was this machine's, read-only, and showed its processes: the kernel refuses another one where parts of /proc are hidden, as in a container",
            );
        }
    }
    for name in MASKED.iter().map(|name| format!("/proc/{name}")) {
        match root.kind(&name) {
            Ok(FileType::Directory) => root.fresh(&name, "tmpfs", DATA | MountFlags::RDONLY, "size=0")?,
            Ok(_) => root.bind(Path::new("/dev/null"), &name, MountFlags::NOSUID | MountFlags::NOEXEC)?,
            Err(_) => {}
        }
    }
    for name in READ_ONLY.iter().map(|name| format!("/proc/{name}")) {
        if let Ok(at) = root.path_of(Path::new(&name)) {
            root.bind(&at, &name, DATA | MountFlags::RDONLY)?;
        }
    }
    Ok(())
}

fn devices(root: &Root, gid: u32) -> Result<(), Fault> {
    root.fresh("/dev", "tmpfs", MountFlags::NOSUID | MountFlags::NOEXEC, "mode=755,size=64k")?;
    for name in DEVICES {
        // Not without devices, which is what they are.
        root.bind(&Path::new("/dev").join(name), format!("/dev/{name}"), MountFlags::NOSUID | MountFlags::NOEXEC)?;
    }
    let dev = root.folder(Path::new("/dev")).map_err(Fault::root("open /dev"))?;
    for (name, target) in LINKS {
        rustix::fs::symlinkat(target, &dev, name).map_err(Fault::root(format!("make /dev/{name}")))?;
    }
    root.fresh("/dev/shm", "tmpfs", DATA, "mode=1777,size=64m")?;
    // Terminals of its own, where they are to be had; the group is one that is somebody in there.
    let _ = root.fresh(
        "/dev/pts",
        "devpts",
        MountFlags::NOSUID | MountFlags::NOEXEC,
        &format!("newinstance,ptmxmode=0666,mode=0620,gid={gid}"),
    );
    Ok(())
}

fn volume(root: &Root, volume: &Volume) -> Result<(), Fault> {
    let Volume { host, inside, read_only } = volume;
    let limits = if *read_only { APART | MountFlags::RDONLY } else { APART };
    root.bind(host, inside, limits)
        .map_err(|fault| Fault::new(refusal::VOLUME_UNUSABLE, format!("the volume {}: {}", host.display(), fault.text)))
}

/// The mount points below a folder, by proc_pid_mountinfo(5).
fn mounts(text: &[u8], folder: &Path) -> Vec<PathBuf> {
    let points = text.split(|byte| *byte == b'\n').filter_map(|line| line.split(|byte| *byte == b' ').nth(4));
    let points = points.map(|point| PathBuf::from(OsStr::from_bytes(&unescaped(point))));
    points.filter(|point| point.starts_with(folder) && point != folder).collect()
}

/// `\040` is a blank there.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

/// Mounts a file over another one, so that it can only be read there.
pub(super) fn bind_file(file: &Path, at: &Path) -> rustix::io::Result<()> {
    mount_bind_recursive(file, at)?;
    limit(at, APART | MountFlags::RDONLY)
}

/// Limits what is mounted at `at`. Limits that it has already stay: in a user namespace none can be lifted, and a
/// remount that leaves one out is refused (mount_namespaces(7)).
fn limit(at: &Path, limits: MountFlags) -> rustix::io::Result<()> {
    let has = rustix::fs::statvfs(at)?.f_flag;
    let kept = [
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::RDONLY, MountFlags::RDONLY),
    ];
    let kept = kept.into_iter().filter(|(flag, _)| has.contains(*flag)).map(|(_, flag)| flag);
    mount_remount(at, MountFlags::BIND | kept.fold(limits, MountFlags::union), "")
}

/// The root that is made.
struct Root(OwnedFd);

impl Root {
    /// Opens a place as the program would find it.
    fn open(&self, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        rustix::fs::openat2(&self.0, path, flags | OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)
    }

    fn kind(&self, path: impl AsRef<Path>) -> rustix::io::Result<FileType> {
        let stat = rustix::fs::fstat(self.open(path.as_ref(), OFlags::empty())?)?;
        Ok(FileType::from_raw_mode(stat.st_mode))
    }

    /// Fails if links have led to the root itself, which nothing may be mounted over: it would not be read-only then.
    fn is_below(&self, at: &OwnedFd, place: &Path) -> Result<(), Fault> {
        let id = |fd: &OwnedFd| rustix::fs::fstat(fd).map(|stat| (stat.st_dev, stat.st_ino));
        let failed = || Fault::root(format!("look at {}", place.display()));
        if id(at).map_err(failed())? != id(&self.0).map_err(failed())? {
            return Ok(());
        }
        let text = format!(
            "{} is a link of the image that leads to its root, so nothing can be mounted there",
            place.display()
        );
        Err(Fault::new(refusal::ROOT_NOT_SET_UP, text))
    }

    /// Where a place is in the machine's view, without links.
    fn path_of(&self, path: &Path) -> rustix::io::Result<PathBuf> {
        let fd = self.open(path, OFlags::empty())?;
        fs::read_link(shown(&fd)).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
    }

    /// A directory, which is made with all that it lies in; where a link leads to nothing, there.
    fn folder(&self, path: &Path) -> rustix::io::Result<OwnedFd> {
        self.folder_by(path, MAX_LINKS)
    }

    fn folder_by(&self, path: &Path, links: usize) -> rustix::io::Result<OwnedFd> {
        let mut at = PathBuf::from("/");
        let mut open = self.open(&at, OFlags::DIRECTORY)?;
        for part in path.components() {
            let name = match part {
                Component::Normal(_) | Component::ParentDir => part.as_os_str(),
                _ => continue,
            };
            let within = at.clone();
            at.push(name);
            open = match self.open(&at, OFlags::DIRECTORY) {
                Err(Errno::NOENT) => {
                    let mode = Mode::RWXU | Mode::RGRP | Mode::XGRP | Mode::ROTH | Mode::XOTH;
                    match rustix::fs::mkdirat(open.as_fd(), name, mode) {
                        Err(Errno::EXIST) => self.folder_by(&target(&open, &within, name, links)?, links - 1)?,
                        made => made.and_then(|()| self.open(&at, OFlags::DIRECTORY))?,
                    }
                }
                other => other?,
            };
        }
        Ok(open)
    }

    /// A file, which is made with all that it lies in; where a link leads to nothing, there.
    fn file(&self, path: &Path) -> rustix::io::Result<OwnedFd> {
        self.file_by(path, MAX_LINKS)
    }

    fn file_by(&self, path: &Path, links: usize) -> rustix::io::Result<OwnedFd> {
        match self.open(path, OFlags::empty()) {
            Err(Errno::NOENT) => {}
            other => return other,
        }
        let within = path.parent().unwrap_or(Path::new("/"));
        let (folder, name) = (self.folder(within)?, path.file_name().unwrap_or_default());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
        match rustix::fs::openat(&folder, name, flags, mode) {
            Err(Errno::EXIST) => self.file_by(&target(&folder, within, name, links)?, links - 1),
            made => made.and_then(|_| self.open(path, OFlags::empty())),
        }
    }

    /// Mounts a new file system at a place.
    fn fresh(&self, place: &str, kind: &str, flags: MountFlags, data: &str) -> Result<(), Fault> {
        let at = self.folder(Path::new(place)).map_err(Fault::root(format!("make {place}")))?;
        self.is_below(&at, Path::new(place))?;
        // There is no zero byte in any of them.
        let data = CString::new(data).unwrap_or_default();
        mount(kind, shown(&at), kind, flags, &*data).map_err(Fault::root(format!("mount a {kind} at {place}")))
    }

    /// Mounts what is on this machine at a place, with all that is mounted below it.
    fn bind(&self, from: &Path, place: impl AsRef<Path>, limits: MountFlags) -> Result<(), Fault> {
        let place = place.as_ref();
        let to = || Fault::root(format!("mount {} at {}", from.display(), place.display()));
        let is_dir = fs::metadata(from).map(|info| info.is_dir());
        let is_dir = is_dir.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO)).map_err(to())?;
        let at = if is_dir { self.folder(place) } else { self.file(place) }.map_err(to())?;
        self.is_below(&at, place)?;
        mount_bind_recursive(from, shown(&at)).map_err(to())?;
        // What was opened before lies below it now.
        let at = self.open(place, OFlags::empty()).map_err(to())?;
        limit(&shown(&at), limits).map_err(to())?;
        if is_dir && limits.contains(MountFlags::RDONLY) {
            // What is mounted below it has limits of its own.
            let at = self.path_of(place).map_err(to())?;
            let known =
                fs::read("/proc/self/mountinfo").map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO));
            for below in mounts(&known.map_err(to())?, &at) {
                limit(&below, limits).map_err(Fault::root(format!("make {} read-only", below.display())))?;
            }
        }
        Ok(())
    }
}

/// Where a link of a folder leads, from the root, as long as there may be more `links`.
fn target(folder: &OwnedFd, path: &Path, name: &OsStr, links: usize) -> rustix::io::Result<PathBuf> {
    if links == 0 {
        return Err(Errno::LOOP);
    }
    let target = rustix::fs::readlinkat(folder, name, Vec::new())?;
    Ok(path.join(OsStr::from_bytes(target.as_bytes())))
}

/// An open file as a path.
fn shown(fd: &OwnedFd) -> PathBuf {
    format!("/proc/self/fd/{}", fd.as_raw_fd()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_below_a_folder() {
        let text = b"29 1 0:25 / / rw - ext4 /dev/a rw\n30 29 0:26 / /data rw - tmpfs t rw\n\
            31 30 0:27 / /data/a\\040b rw - tmpfs t rw\n32 29 0:28 / /database rw - tmpfs t rw\n33 30 0:29 / /data/\\134x rw\n";
        let found = mounts(text, Path::new("/data"));
        assert_eq!(found, [PathBuf::from("/data/a b"), PathBuf::from("/data/\\x")]);
        assert!(mounts(b"", Path::new("/")).is_empty());
    }
}
