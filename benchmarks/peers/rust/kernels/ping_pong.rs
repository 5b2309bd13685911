// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two threads that wake each other in turn, through a condition variable or through parkers.
use super::object::{boxed, unboxed, Plain};
use crate::abi::{wait_begins, wait_ends, Job, Kernel, Worker};
use crate::peer::{Condvar, Mutex, Parker};
use std::os::raw::c_void;
use std::sync::atomic::{AtomicU32, Ordering};

struct Turns {
    counter: u64,
    over: bool,
}

#[repr(C, align(128))]
struct Table<C: Condvar> {
    lock: C::Mutex,
    turned: C,
    turns: Plain<Turns>,
}

unsafe extern "C" fn create_table<C: Condvar>(_: *const Job) -> *mut c_void {
    boxed(Table::<C> {
        lock: C::Mutex::new(),
        turned: C::new(),
        turns: Plain::new(Turns { counter: 0, over: false }),
    })
}

unsafe extern "C" fn destroy_table<C: Condvar>(object: *mut c_void) -> u64 {
    unboxed::<Table<C>>(object).turns.get().counter
}

unsafe fn take_turn<C: Condvar>(table: &Table<C>, job: &Job, parity: u64, under: bool) -> bool {
    let turns = &table.turns;
    let goes_on = table.turned.locked_when(
        &table.lock,
        || !turns.get().over && turns.get().counter & 1 != parity,
        || {
            let mine = turns.get();
            let goes_on = !mine.over;
            mine.counter += goes_on as u64;
            if job.stopped() {
                mine.over = true;
            }
            if under {
                table.turned.notify_one();
            }
            goes_on
        },
    );
    if !under {
        table.turned.notify_one();
    }
    goes_on
}

unsafe fn take_turns<C: Condvar, const TIMED: bool>(job: &Job, me: &mut Worker) {
    let table = &*(job.object as *const Table<C>);
    let mut goes_on = true;
    while goes_on {
        let begin = wait_begins::<TIMED>();
        goes_on = take_turn(table, job, me.index, job.notify_under != 0);
        wait_ends::<TIMED>(me, begin);
        me.operations += goes_on as u64;
    }
}

unsafe extern "C" fn condvar_ping_pong<C: Condvar>(job: *const Job, me: *mut Worker) {
    if (*job).timed != 0 {
        take_turns::<C, true>(&*job, &mut *me)
    } else {
        take_turns::<C, false>(&*job, &mut *me)
    }
}

pub const fn condvar_kernel<C: Condvar>() -> Kernel {
    Kernel::new(create_table::<C>, condvar_ping_pong::<C>, destroy_table::<C>)
}

#[repr(align(128))]
struct Side<P>(P);

#[repr(C, align(128))]
struct ParkTable<P> {
    sides: [Side<P>; 2],
    turns: Plain<Turns>,
    adopted: AtomicU32,
}

unsafe extern "C" fn create_park_table<P: Parker>(_: *const Job) -> *mut c_void {
    boxed(ParkTable::<P> {
        sides: [Side(P::new()), Side(P::new())],
        turns: Plain::new(Turns { counter: 0, over: false }),
        adopted: AtomicU32::new(0),
    })
}

unsafe extern "C" fn destroy_park_table<P: Parker>(object: *mut c_void) -> u64 {
    unboxed::<ParkTable<P>>(object).turns.get().counter
}

unsafe fn park_in_turn<P: Parker, const TIMED: bool>(job: &Job, me: &mut Worker) {
    let table = &*(job.object as *const ParkTable<P>);
    let mine = &table.sides[me.index as usize].0;
    let other = &table.sides[1 - me.index as usize].0;
    mine.adopt();
    table.adopted.fetch_add(1, Ordering::AcqRel);
    while table.adopted.load(Ordering::Acquire) != 2 {
        std::thread::yield_now();
    }
    let (mut my_turn, mut over) = (me.index == 0, false);
    while !over {
        if !my_turn {
            let begin = wait_begins::<TIMED>();
            mine.park();
            wait_ends::<TIMED>(me, begin);
        }
        my_turn = false;
        let turns = table.turns.get();
        over = turns.over;
        if !over {
            turns.counter += 1;
            me.operations += 1;
            turns.over = job.stopped();
        }
        other.unpark();
    }
}

unsafe extern "C" fn park_ping_pong<P: Parker>(job: *const Job, me: *mut Worker) {
    if (*job).timed != 0 {
        park_in_turn::<P, true>(&*job, &mut *me)
    } else {
        park_in_turn::<P, false>(&*job, &mut *me)
    }
}

pub const fn park_kernel<P: Parker>() -> Kernel {
    Kernel::new(create_park_table::<P>, park_ping_pong::<P>, destroy_park_table::<P>)
}
