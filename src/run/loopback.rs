//! Loopback of a new network namespace, which is there and down.
//!
//! One message of rtnetlink(7): interface 1, which it always is there, goes up. The kernel then gives it 127.0.0.1 and ::1.

use rustix::{
    io::Errno,
    net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with},
};

/// `RTM_NEWLINK`, and of `nlmsghdr.nlmsg_flags` `NLM_F_REQUEST` and `NLM_F_ACK`.
const RTM_NEWLINK: u16 = 16;
const REQUEST_ACK: u16 = 1 | 4;
/// `IFF_UP`.
const IFF_UP: u32 = 1;
/// An `nlmsghdr` and an `ifinfomsg`.
const LENGTH: u32 = 32;
/// `nlmsgerr.error` lies behind the `nlmsghdr` of the answer.
const ERROR_AT: usize = 16;

/// Takes it up.
///
/// # Errors
/// What the kernel answers.
pub(super) fn up() -> rustix::io::Result<()> {
    // NETLINK_ROUTE is protocol 0.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    send(&socket, &message(), SendFlags::empty())?;
    let mut answer = [0_u8; 1024];
    let (length, _) = recv(&socket, &mut answer[..], RecvFlags::empty())?;
    let error = answer.get(..length).and_then(|answer| answer.get(ERROR_AT..ERROR_AT + 4));
    match error.and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(error) => Err(Errno::from_raw_os_error(error.saturating_neg())),
        None => Err(Errno::PROTO),
    }
}

fn message() -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(LENGTH.to_ne_bytes());
    out.extend(RTM_NEWLINK.to_ne_bytes());
    out.extend(REQUEST_ACK.to_ne_bytes());
    // Sequence and port.
    out.extend([1_u32, 0].iter().flat_map(|word| word.to_ne_bytes()));
    // Family, padding, type.
    out.extend([0; 4]);
    // Index, flags, and which of them change.
    out.extend([1, IFF_UP, IFF_UP].iter().flat_map(|word| word.to_ne_bytes()));
    out
}
