// SPDX-License-Identifier: MIT OR Apache-2.0
//! Threads that read and write under one read-write lock, in a given mix.
use super::object::{boxed, destroy_guarded, guarded, Guarded};
use crate::abi::{delay, wait_begins, wait_ends, Job, Kernel, Worker};
use crate::peer::RwLock;
use std::os::raw::c_void;

unsafe extern "C" fn create_rwlock<L: RwLock>(_: *const Job) -> *mut c_void {
    boxed(guarded(L::new()))
}

unsafe fn write_once<L: RwLock, const TIMED: bool>(object: &Guarded<L>, job: &Job, me: &mut Worker) {
    let begin = wait_begins::<TIMED>();
    object.lock.write(|| {
        wait_ends::<TIMED>(me, begin);
        let count = object.counter.read() + 1;
        object.counter.write(count);
        delay(job.section);
        object.mirror.write(count);
    });
}

unsafe fn read_once<L: RwLock, const TIMED: bool>(object: &Guarded<L>, job: &Job, me: &mut Worker) {
    let begin = wait_begins::<TIMED>();
    object.lock.read(|| {
        wait_ends::<TIMED>(me, begin);
        let count = object.counter.read();
        delay(job.section);
        assert!(count == object.mirror.read());
    });
}

unsafe fn rwlock_loop<L: RwLock, const TIMED: bool>(job: &Job, me: &mut Worker) {
    let object = &*(job.object as *const Guarded<L>);
    let (mut operations, mut reads) = (0, 0);
    while !job.stopped() {
        if me.next_random() >> 54 < job.writes {
            write_once::<L, TIMED>(object, job, me);
        } else {
            read_once::<L, TIMED>(object, job, me);
            reads += 1;
        }
        delay(job.outside);
        operations += 1;
    }
    me.operations = operations;
    me.reads = reads;
}

unsafe extern "C" fn rwlock_mix<L: RwLock>(job: *const Job, me: *mut Worker) {
    if (*job).timed != 0 {
        rwlock_loop::<L, true>(&*job, &mut *me)
    } else {
        rwlock_loop::<L, false>(&*job, &mut *me)
    }
}

unsafe fn rwlock_sides_loop<L: RwLock, const TIMED: bool>(job: &Job, me: &mut Worker) {
    let object = &*(job.object as *const Guarded<L>);
    let writes = me.index < job.producers;
    let mut operations = 0;
    while !job.stopped() {
        if writes {
            write_once::<L, TIMED>(object, job, me);
        } else {
            read_once::<L, TIMED>(object, job, me);
        }
        operations += 1;
    }
    me.operations = operations;
    me.reads = if writes { 0 } else { operations };
}

unsafe extern "C" fn rwlock_sides<L: RwLock>(job: *const Job, me: *mut Worker) {
    if (*job).timed != 0 {
        rwlock_sides_loop::<L, true>(&*job, &mut *me)
    } else {
        rwlock_sides_loop::<L, false>(&*job, &mut *me)
    }
}

pub const fn rwlock_sides_kernel<L: RwLock>() -> Kernel {
    Kernel::new(create_rwlock::<L>, rwlock_sides::<L>, destroy_guarded::<L>)
}

pub const fn rwlock_kernel<L: RwLock>() -> Kernel {
    Kernel::new(create_rwlock::<L>, rwlock_mix::<L>, destroy_guarded::<L>)
}
