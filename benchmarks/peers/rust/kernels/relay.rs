// SPDX-License-Identifier: MIT OR Apache-2.0
//! Many threads, each parked at an address of its own: a token goes from one to any other; or they only fill the table.
use super::object::{boxed, unboxed, Plain};
use crate::abi::{pause, wait_begins, wait_ends, Job, Kernel, Worker};
use crate::peer::Parker;
use std::os::raw::c_void;
use std::sync::atomic::{AtomicU64, Ordering};

#[repr(align(128))]
struct Side<P>(P);

struct Relay<P> {
    sides: Vec<Side<P>>,
    adopted: AtomicU64,
    over: Plain<bool>,
    counter: AtomicU64,
}

unsafe extern "C" fn create_relay<P: Parker>(job: *const Job) -> *mut c_void {
    boxed(Relay::<P> {
        sides: (0..(*job).workers).map(|_| Side(P::new())).collect(),
        adopted: AtomicU64::new(0),
        over: Plain::new(false),
        counter: AtomicU64::new(0),
    })
}

unsafe extern "C" fn destroy_relay<P: Parker>(object: *mut c_void) -> u64 {
    unboxed::<Relay<P>>(object).counter.load(Ordering::Relaxed)
}

impl<P: Parker> Relay<P> {
    fn parker(&self, index: u64) -> &P {
        unsafe { &self.sides.get_unchecked(index as usize).0 }
    }

    fn adopt(&self, index: u64) {
        self.parker(index).adopt();
        self.adopted.fetch_add(1, Ordering::AcqRel);
    }

    fn wait_for_all(&self) {
        while self.adopted.load(Ordering::Acquire) != self.sides.len() as u64 {
            std::thread::yield_now();
        }
    }

    fn wake_all_others(&self, me: u64) {
        self.wait_for_all();
        (0..self.sides.len() as u64).filter(|&each| each != me).for_each(|each| self.parker(each).unpark());
    }
}

unsafe extern "C" fn pass_token_on<P: Parker>(job: *const Job, me: *mut Worker) {
    let (job, me) = (&*job, &mut *me);
    let ring = &*(job.object as *const Relay<P>);
    ring.adopt(me.index);
    let mut has_token = me.index == 0;
    if has_token {
        ring.wait_for_all();
    }
    loop {
        if !has_token {
            ring.parker(me.index).park();
        }
        has_token = false;
        if *ring.over.get() {
            return;
        }
        // Not as one operation: only the token guards it.
        ring.counter.store(ring.counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        me.operations += 1;
        if job.stopped() {
            break;
        }
        let next = me.index + 1 + (((me.next_random() >> 32) * (job.workers - 1)) >> 32);
        ring.parker(if next < job.workers { next } else { next - job.workers }).unpark();
    }
    *ring.over.get() = true;
    ring.wake_all_others(me.index);
}

pub const fn relay_kernel<P: Parker>() -> Kernel {
    Kernel::new(create_relay::<P>, pass_token_on::<P>, destroy_relay::<P>)
}

unsafe fn observe_crowd<P: Parker>(ring: &Relay<P>, job: &Job, me: &mut Worker) {
    while !job.stopped() {
        let begin = wait_begins::<true>();
        ring.parker(0).unpark();
        ring.parker(0).park();
        wait_ends::<true>(me, begin);
        me.operations += 1;
        pause(job.pause_ns);
    }
    ring.wake_all_others(0);
}

unsafe extern "C" fn crowd<P: Parker>(job: *const Job, me: *mut Worker) {
    let (job, me) = (&*job, &mut *me);
    let ring = &*(job.object as *const Relay<P>);
    ring.adopt(me.index);
    if me.index == 0 {
        observe_crowd(ring, job, me);
    } else {
        ring.parker(me.index).park();
        me.operations = 1;
    }
    ring.counter.fetch_add(me.operations, Ordering::Relaxed);
}

pub const fn crowd_kernel<P: Parker>() -> Kernel {
    Kernel::new(create_relay::<P>, crowd::<P>, destroy_relay::<P>)
}
