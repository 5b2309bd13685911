// SPDX-License-Identifier: MIT OR Apache-2.0
//! Mirror of harness/abi.h.
use std::os::raw::{c_char, c_void};
use std::sync::atomic::{AtomicU32, Ordering};

#[repr(C)]
pub struct Worker {
    pub index: u64,
    pub operations: u64,
    pub reads: u64,
    pub random: u64,
    pub waits: *mut c_void,
}

#[repr(C)]
pub struct Job {
    pub object: *mut c_void,
    pub workers: u64,
    pub section: u64,
    pub outside: u64,
    pub writes: u64,
    pub producers: u64,
    pub capacity: u64,
    pub notify_under: u64,
    pub timed: u64,
    pub locks: u64,
    pub picks: *const u16,
    pub turns: u64,
    pub pause_ns: u64,
    padding: [u8; 24],
    pub stop: AtomicU32,
    padding_end: [u8; 124],
}

// harness/crew.cc asserts the same.
const _: () = assert!(std::mem::size_of::<Job>() == 256 && std::mem::size_of::<Worker>() == 40);

pub type Loop = unsafe extern "C" fn(u64);

type Create = unsafe extern "C" fn(*const Job) -> *mut c_void;
type Work = unsafe extern "C" fn(*const Job, *mut Worker);
type Destroy = unsafe extern "C" fn(*mut c_void) -> u64;

#[repr(C)]
pub struct Kernel {
    create: Option<Create>,
    work: Option<Work>,
    destroy: Option<Destroy>,
}

impl Kernel {
    /// The peer has no such thing.
    pub const NONE: Kernel = Kernel { create: None, work: None, destroy: None };

    pub const fn new(create: Create, work: Work, destroy: Destroy) -> Kernel {
        Kernel { create: Some(create), work: Some(work), destroy: Some(destroy) }
    }
}

#[repr(C)]
pub struct PeerTable {
    pub name: *const c_char,
    pub lock_unlock: Option<Loop>,
    pub try_lock_unlock: Option<Loop>,
    pub try_lock_held: Option<Loop>,
    pub read_unlock: Option<Loop>,
    pub write_unlock: Option<Loop>,
    pub once_done: Option<Loop>,
    pub mutex: Kernel,
    pub million: Kernel,
    pub zipf: Kernel,
    pub rwlock: Kernel,
    pub rwlock_sides: Kernel,
    pub once: Kernel,
    pub condvar_ping_pong: Kernel,
    pub park_ping_pong: Kernel,
    pub queue: Kernel,
    pub broadcast: Kernel,
    pub brief: Kernel,
    pub relay: Kernel,
    pub collision: Kernel,
    pub crowd: Kernel,
    pub permit: Option<Loop>,
    pub unpark_awake: Option<Loop>,
    pub park_permit: Option<Loop>,
    pub block_on: Option<Loop>,
    pub register_and_wake: Option<Loop>,
    pub token_ping_pong: Kernel,
    pub block_on_ping_pong: Kernel,
    pub spawn: Kernel,
    pub echo: Kernel,
}

impl PeerTable {
    /// A peer that has nothing.
    pub const fn nothing(name: *const c_char) -> PeerTable {
        PeerTable {
            name,
            lock_unlock: None,
            try_lock_unlock: None,
            try_lock_held: None,
            read_unlock: None,
            write_unlock: None,
            once_done: None,
            mutex: Kernel::NONE,
            million: Kernel::NONE,
            zipf: Kernel::NONE,
            rwlock: Kernel::NONE,
            rwlock_sides: Kernel::NONE,
            once: Kernel::NONE,
            condvar_ping_pong: Kernel::NONE,
            park_ping_pong: Kernel::NONE,
            queue: Kernel::NONE,
            broadcast: Kernel::NONE,
            brief: Kernel::NONE,
            relay: Kernel::NONE,
            collision: Kernel::NONE,
            crowd: Kernel::NONE,
            permit: None,
            unpark_awake: None,
            park_permit: None,
            block_on: None,
            register_and_wake: None,
            token_ping_pong: Kernel::NONE,
            block_on_ping_pong: Kernel::NONE,
            spawn: Kernel::NONE,
            echo: Kernel::NONE,
        }
    }
}

// The name is a literal, the rest are functions.
unsafe impl Sync for PeerTable {}

extern "C" {
    fn plc_bench_delay(turns: u64);
    fn plc_bench_now_ns() -> u64;
    fn plc_bench_pause(ns: u64);
    fn plc_bench_record_wait(worker: *mut Worker, ns: u64);
    pub fn plc_bench_echo_client(job: *const Job, worker: *mut Worker);
}

impl Job {
    #[inline(always)]
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) != 0
    }
}

impl Worker {
    /// xorshift, as in kernels/object.h.
    #[inline(always)]
    pub fn next_random(&mut self) -> u64 {
        let mut x = self.random;
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random = x;
        x
    }
}

#[inline(always)]
pub fn delay(turns: u64) {
    if turns != 0 {
        unsafe { plc_bench_delay(turns) }
    }
}

pub fn pause(ns: u64) {
    unsafe { plc_bench_pause(ns) }
}

#[inline(always)]
pub fn now_ns() -> u64 {
    unsafe { plc_bench_now_ns() }
}

#[inline(always)]
pub fn record_wait(worker: &mut Worker, ns: u64) {
    unsafe { plc_bench_record_wait(worker, ns) }
}

/// The start of a wait, or nothing in an untimed run.
#[inline(always)]
pub fn wait_begins<const TIMED: bool>() -> u64 {
    if TIMED {
        now_ns()
    } else {
        0
    }
}

#[inline(always)]
pub fn wait_ends<const TIMED: bool>(worker: &mut Worker, begin: u64) {
    if TIMED {
        record_wait(worker, now_ns() - begin)
    }
}
