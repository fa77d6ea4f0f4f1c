//! 11 running: why `compose run` does not start a program of the image. It ends with 125 for refusals of other groups too, so
//! that the program's own codes are told from them.

refusals! { RAN:
    NO_PROGRAM 1101 "no-program" NOT_RUN
        "Neither the image nor the command line says what is to be run."
        "give the program after --, or with --entrypoint, or set image.entrypoint in the manifest";
    VOLUME_UNUSABLE 1102 "volume-unusable" NOT_RUN
        "What --volume names cannot be mounted: it is not there, may not be read, or its place in the image is of another kind."
        "name a file or folder that is there, as HOST:PATH or HOST:PATH:ro";
    NO_EMULATOR 1103 "no-emulator" NOT_RUN
        "The image is for another machine than this one, and nothing here runs its programs (binfmt_misc, qemu-user)."
        "install qemu-user-static (Debian: with binfmt-support), or choose this machine's architecture with --arch";
    NO_NAMESPACES 1104 "no-namespaces" NOT_RUN
        "The kernel, or what compose itself runs in, does not let this user make the namespaces that keep the program apart (user_namespaces(7))."
        "allow user namespaces on this machine, or run compose as root";
    ROOT_NOT_SET_UP 1105 "root-not-set-up" NOT_RUN
        "A mount that the program's root is made of is refused (mount_namespaces(7))."
        "see what the message names; outside of a container, or as root, it may be allowed";
    PROGRAM_NOT_FOUND 1106 "program-not-found" NOT_FOUND
        "The image has no such program; a name without a slash is looked for in the PATH of the image."
        "name a program of the image; `compose audit MANIFEST` and `compose MANIFEST -o rootfs/` show what it holds";
    PROGRAM_NOT_EXECUTABLE 1107 "program-not-executable" NOT_EXECUTABLE
        "The program is in the image and the kernel does not execute it (execve(2))."
        "see that it is an executable file, and that the image has the interpreter that it names";
    WORKDIR_UNUSABLE 1108 "workdir-unusable" NOT_RUN
        "The working directory cannot be entered by the user that the program runs as."
        "mend image.workdir in the manifest, the mode of that directory, or the volume that it is in";
    RUN_INTERRUPTED 1109 "run-interrupted" NOT_RUN
        "The process of compose that stands between it and the program has ended before it could say how the program did."
        "run again; if it comes back, report it";
}
