//! Every environment variable that a run reads: one table, from which the manual page and docs/cli.md say them.
//!
//! In: the environment. Out: a variable's value. Nothing else of compose reads one; what the libraries it is made of and the
//! operating system read is in the table too.

use std::{
    env::{self, VarError},
    ffi::OsString,
    path::PathBuf,
};

/// Rows of the table: the name, who reads it, what it means.
macro_rules! variables {
    ($($name:ident $reader:ident $meaning:literal;)*) => {
        $(
            #[doc = $meaning]
            pub const $name: Variable =
                Variable { name: stringify!($name), reader: Reader::$reader, meaning: $meaning };
        )*
        /// All of them: compose's own first, then by name.
        pub const VARIABLES: &[Variable] = &[$($name),*];
    };
}

variables! {
    COMPOSE_CACHE Compose "The folder of the cache; else $XDG_CACHE_HOME/compose, else ~/.cache/compose.";
    COMPOSE_CACHE_LIMIT Compose "The size above which a build removes from the cache what was not used for longest, such as “5 GiB”; 10 GiB unless set.";
    COMPOSE_MIRROR Compose "The mirror of Debian, where neither --mirror nor the manifest names one; else that of the machine's apt.";
    COMPOSE_SIGN_PASSPHRASE Compose "The passphrase of the secret key that compose vendor --sign-with is given.";
    COMPOSE_SNAPSHOT Compose "The URL that has debian/ below it in Debian's snapshot archive: for debian.snapshot, for packages of a lock that have left the mirror, and where no mirror is known. The value at the time when compose was built holds where it is not set.";
    DOCKER_CONFIG Compose "The folder of docker's config.json, which has the logins of docker login; else ~/.docker.";
    HOME Compose "The folder below which the cache and the logins are, where no other variable says it.";
    NO_COLOR Compose "Where it is not empty, nothing is coloured.";
    REGISTRY_AUTH_FILE Compose "The only file that logins for registries are taken from; else podman's auth.json and then docker's config.json.";
    SOURCE_DATE_EPOCH Compose "Seconds since 1970: the date of what is built, in place of the lock's.";
    TERM Compose "Given to the program of compose run, where that has a terminal.";
    XDG_CACHE_HOME Compose "The folder in which the cache is the folder compose, if it is an absolute path and COMPOSE_CACHE is not set.";
    XDG_CONFIG_HOME Compose "The folder in which containers/auth.json has the lasting logins of podman; else ~/.config.";
    XDG_RUNTIME_DIR Compose "The folder in which containers/auth.json has the logins of podman login.";
    ALL_PROXY Others "The proxy through which mirrors, indexes and registries are asked; the first that is set of ALL_PROXY, HTTPS_PROXY and HTTP_PROXY, in capitals or small letters, is taken for all. A registry on this machine itself is never asked through a proxy.";
    HTTPS_PROXY Others "See ALL_PROXY.";
    HTTP_PROXY Others "See ALL_PROXY.";
    NO_PROXY Others "Hosts, separated by commas, that are not asked through the proxy; also in small letters.";
    PATH Others "Where pip, uv, python3 and docker-credential-NAME are looked for.";
    RAYON_NUM_THREADS Others "How many threads there are, where --jobs does not say it.";
    SSL_CERT_DIR Others "A folder of certificates of authorities, in place of the machine's own.";
    SSL_CERT_FILE Others "A file of certificates of authorities, in place of the machine's own.";
}

/// An environment variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// What it is called.
    pub name: &'static str,
    /// Who reads it.
    pub reader: Reader,
    /// What it means, in sentences.
    pub meaning: &'static str,
}

/// Who reads a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// The code here.
    Compose,
    /// A library that is part of compose, or the operating system.
    Others,
}

impl Variable {
    /// Its value, where it is text.
    pub(super) fn text(self) -> Option<String> {
        self.read().ok()
    }

    /// Its value, or why there is none.
    pub(super) fn read(self) -> Result<String, VarError> {
        env::var(self.name)
    }

    /// Its value, unless it is empty.
    pub(super) fn filled(self) -> Option<OsString> {
        env::var_os(self.name).filter(|value| !value.is_empty())
    }

    /// The path that it names, unless it is empty.
    pub(super) fn path(self) -> Option<PathBuf> {
        self.filled().map(PathBuf::from)
    }
}
