//! What a process may do: everything in its user namespace while its root is made, and nothing once it is the program.
//!
//! See capabilities(7), PR_SET_NO_NEW_PRIVS(2const), user_namespaces(7).

use rustix::{
    process::{Gid, Signal, Uid, set_parent_process_death_signal},
    thread::{
        CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, configure_capability_in_ambient_set,
        remove_capability_from_bounding_set, set_capabilities, set_no_new_privs, set_thread_groups, set_thread_res_gid,
        set_thread_res_uid,
    },
};

use super::plan::Plan;

/// Has the kernel send a signal when whoever started this process dies. A change of rights takes it back.
pub(super) fn end_with_parent(signal: Signal) {
    // It fails for no signal that there is.
    let _ = set_parent_process_death_signal(Some(signal));
}

/// Keeps capabilities over execve(2) for a process that is no root.
pub(super) fn keep_over_exec() -> rustix::io::Result<()> {
    let sets = capabilities(None)?;
    set_capabilities(None, CapabilitySets { inheritable: sets.permitted, ..sets })?;
    for one in every().filter(|one| sets.permitted.contains(*one)) {
        configure_capability_in_ambient_set(one, true)?;
    }
    Ok(())
}

/// Becomes the user, without any capability and without a way to gain one. As root other groups are left too; in a user
/// namespace of an ordinary user they cannot be.
pub(super) fn give_up(plan: &Plan) -> rustix::io::Result<()> {
    for one in every() {
        // There are as many as the kernel knows.
        if remove_capability_from_bounding_set(one).is_err() {
            break;
        }
    }
    clear_ambient_capability_set()?;
    if !plan.user_namespace {
        let (uid, gid) = (Uid::from_raw(plan.user.uid), Gid::from_raw(plan.user.gid));
        set_thread_groups(&[])?;
        set_thread_res_gid(gid, gid, gid)?;
        set_thread_res_uid(uid, uid, uid)?;
    }
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    set_no_new_privs(true)?;
    end_with_parent(Signal::KILL);
    Ok(())
}

/// Every number that a capability can have.
fn every() -> impl Iterator<Item = CapabilitySet> {
    (0..u64::BITS).map(|bit| CapabilitySet::from_bits_retain(1 << bit))
}
