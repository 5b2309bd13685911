// SPDX-License-Identifier: MIT OR Apache-2.0
//! Producers and consumers of a bounded queue: a ring, one mutex, two condition variables.
use super::object::{boxed, unboxed, Plain};
use crate::abi::{pause, wait_begins, wait_ends, Job, Kernel, Worker};
use crate::peer::{Condvar, Mutex};
use std::os::raw::c_void;

struct Ring {
    items: Vec<u64>,
    size: usize,
    first: usize,
    producers: u64,
    produced_sum: u64,
    consumed_sum: u64,
    counter: u64,
}

#[repr(C, align(128))]
struct Queue<C: Condvar> {
    lock: C::Mutex,
    not_empty: C,
    not_full: C,
    ring: Plain<Ring>,
}

unsafe extern "C" fn create_queue<C: Condvar>(job: *const Job) -> *mut c_void {
    boxed(Queue::<C> {
        lock: C::Mutex::new(),
        not_empty: C::new(),
        not_full: C::new(),
        ring: Plain::new(Ring {
            items: vec![0; (*job).capacity as usize],
            size: 0,
            first: 0,
            producers: (*job).producers,
            produced_sum: 0,
            consumed_sum: 0,
            counter: 0,
        }),
    })
}

unsafe extern "C" fn destroy_queue<C: Condvar>(object: *mut c_void) -> u64 {
    let queue = unboxed::<Queue<C>>(object);
    let ring = queue.ring.get();
    if ring.size == 0 && ring.produced_sum == ring.consumed_sum {
        ring.counter
    } else {
        u64::MAX
    }
}

unsafe fn put<C: Condvar>(q: &Queue<C>, item: u64, under: bool) {
    q.not_full.locked_when(
        &q.lock,
        || q.ring.get().size == q.ring.get().items.len(),
        || {
            let ring = q.ring.get();
            let last = ring.first + ring.size;
            let length = ring.items.len();
            *ring.items.get_unchecked_mut(if last < length { last } else { last - length }) = item;
            ring.size += 1;
            ring.produced_sum = ring.produced_sum.wrapping_add(item);
            if under {
                q.not_empty.notify_one();
            }
        },
    );
    if !under {
        q.not_empty.notify_one();
    }
}

unsafe fn get<C: Condvar>(q: &Queue<C>, under: bool) -> bool {
    let got = q.not_empty.locked_when(
        &q.lock,
        || q.ring.get().size == 0 && q.ring.get().producers != 0,
        || {
            let ring = q.ring.get();
            let got = ring.size != 0;
            if got {
                ring.consumed_sum = ring.consumed_sum.wrapping_add(*ring.items.get_unchecked(ring.first));
                ring.first = if ring.first + 1 < ring.items.len() { ring.first + 1 } else { 0 };
                ring.size -= 1;
                ring.counter += 1;
            }
            if under {
                q.not_full.notify_one();
            }
            got
        },
    );
    if !under {
        q.not_full.notify_one();
    }
    got
}

unsafe fn retire_producer<C: Condvar>(q: &Queue<C>) {
    let last = q.lock.locked(|| {
        let ring = q.ring.get();
        ring.producers -= 1;
        ring.producers == 0
    });
    if last {
        q.not_empty.notify_all();
    }
}

unsafe fn queue_loop<C: Condvar, const TIMED: bool>(job: &Job, me: &mut Worker) {
    let q = &*(job.object as *const Queue<C>);
    let under = job.notify_under != 0;
    if me.index >= job.producers {
        let mut got = true;
        while got {
            let begin = wait_begins::<TIMED>();
            got = get(q, under);
            wait_ends::<TIMED>(me, begin);
            me.operations += got as u64;
        }
        return;
    }
    while !job.stopped() {
        if job.pause_ns != 0 {
            pause(job.pause_ns);
        }
        let begin = wait_begins::<TIMED>();
        put(q, me.next_random(), under);
        wait_ends::<TIMED>(me, begin);
        me.operations += 1;
    }
    retire_producer(q);
}

unsafe extern "C" fn queue_work<C: Condvar>(job: *const Job, me: *mut Worker) {
    if (*job).timed != 0 {
        queue_loop::<C, true>(&*job, &mut *me)
    } else {
        queue_loop::<C, false>(&*job, &mut *me)
    }
}

pub const fn queue_kernel<C: Condvar>() -> Kernel {
    Kernel::new(create_queue::<C>, queue_work::<C>, destroy_queue::<C>)
}
