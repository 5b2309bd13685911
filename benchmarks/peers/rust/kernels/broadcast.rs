// SPDX-License-Identifier: MIT OR Apache-2.0
//! One thread wakes all others again and again: it waits until they all wait, and then broadcasts.
use super::object::{boxed, unboxed, Plain};
use crate::abi::{now_ns, record_wait, Job, Kernel, Worker};
use crate::peer::{Condvar, Mutex};
use std::os::raw::c_void;

struct State {
    waiters: u64,
    here: u64,
    broadcasts: u64,
    begin_ns: u64,
    counter: u64,
    over: bool,
}

#[repr(C, align(128))]
struct Assembly<C: Condvar> {
    lock: C::Mutex,
    go: C,
    all_here: C,
    state: Plain<State>,
}

unsafe extern "C" fn create_assembly<C: Condvar>(job: *const Job) -> *mut c_void {
    let waiters = (*job).workers - (*job).producers;
    boxed(Assembly::<C> {
        lock: C::Mutex::new(),
        go: C::new(),
        all_here: C::new(),
        state: Plain::new(State { waiters, here: 0, broadcasts: 0, begin_ns: 0, counter: 0, over: false }),
    })
}

unsafe extern "C" fn destroy_assembly<C: Condvar>(object: *mut c_void) -> u64 {
    unboxed::<Assembly<C>>(object).state.get().counter
}

unsafe fn broadcast_once<C: Condvar>(all: &Assembly<C>, job: &Job) -> bool {
    let under = job.notify_under != 0;
    let goes_on = all.all_here.locked_when(
        &all.lock,
        || all.state.get().here != all.state.get().waiters,
        || {
            let state = all.state.get();
            state.here = 0;
            state.over = job.stopped();
            state.broadcasts += 1;
            if job.timed != 0 {
                state.begin_ns = now_ns();
            }
            if under {
                all.go.notify_all();
            }
            !state.over
        },
    );
    if !under {
        all.go.notify_all();
    }
    goes_on
}

unsafe fn follow_broadcast<C: Condvar>(all: &Assembly<C>, job: &Job, me: &mut Worker) -> bool {
    let (mut arrived, mut seen) = (false, 0);
    all.go.locked_when(
        &all.lock,
        || {
            let state = all.state.get();
            if !arrived {
                arrived = true;
                seen = state.broadcasts;
                state.here += 1;
                if state.here == state.waiters {
                    all.all_here.notify_one();
                }
            }
            state.broadcasts == seen
        },
        || {
            let state = all.state.get();
            let goes_on = !state.over;
            state.counter += goes_on as u64;
            if job.timed != 0 && goes_on {
                record_wait(me, now_ns() - state.begin_ns);
            }
            goes_on
        },
    )
}

unsafe extern "C" fn broadcast<C: Condvar>(job: *const Job, me: *mut Worker) {
    let (job, me) = (&*job, &mut *me);
    let all = &*(job.object as *const Assembly<C>);
    if me.index < job.producers {
        while broadcast_once(all, job) {
            me.operations += 1;
        }
    } else {
        while follow_broadcast(all, job, me) {
            me.operations += 1;
        }
    }
}

pub const fn broadcast_kernel<C: Condvar>() -> Kernel {
    Kernel::new(create_assembly::<C>, broadcast::<C>, destroy_assembly::<C>)
}
