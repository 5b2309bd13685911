// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tokio: its block_on, permits (Notify), scheduler and driver; and the AtomicWaker of the crate of that name, whose
//! algorithm Tokio has for itself.
use crate::abi::{plc_bench_echo_client, Job, Kernel, PeerTable, Worker};
use atomic_waker::AtomicWaker;
use std::cell::UnsafeCell;
use std::future::Future;
use std::os::raw::{c_char, c_void};
use std::pin::Pin;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{oneshot, Notify};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_io().build().unwrap()
}

unsafe extern "C" fn permit(n: u64) {
    let (runtime, notify) = (runtime(), Notify::new());
    runtime.block_on(async {
        for _ in 0..n {
            notify.notify_one();
            notify.notified().await;
        }
    });
}

/// Wakes itself once.
struct WakeOnce(bool);
impl Future for WakeOnce {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

unsafe extern "C" fn block_on(n: u64) {
    let runtime = runtime();
    for _ in 0..n {
        runtime.block_on(WakeOnce(false));
    }
}

fn noop_waker() -> Waker {
    const VTABLE: RawWakerVTable =
        RawWakerVTable::new(|_| RawWaker::new(std::ptr::null(), &VTABLE), |_| {}, |_| {}, |_| {});
    unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &VTABLE)) }
}

unsafe extern "C" fn register_and_wake(n: u64) {
    let (place, waker) = (AtomicWaker::new(), noop_waker());
    for _ in 0..n {
        place.register(&waker);
        place.wake();
    }
}

// ---- Two tasks that wake each other

#[repr(align(128))]
struct Side(Notify);

#[repr(align(128))]
struct Turns {
    counter: u64,
    over: bool,
}

struct Pair {
    runtime: Runtime,
    sides: [Side; 2],
    turns: UnsafeCell<Turns>, // of the one whose turn it is
}

unsafe extern "C" fn create_pair(_: *const Job) -> *mut c_void {
    Box::into_raw(Box::new(Pair {
        runtime: runtime(),
        sides: [Side(Notify::new()), Side(Notify::new())],
        turns: UnsafeCell::new(Turns { counter: 0, over: false }),
    })) as *mut c_void
}

unsafe extern "C" fn destroy_pair(object: *mut c_void) -> u64 {
    let pair = Box::from_raw(object as *mut Pair);
    let counter = (*pair.turns.get()).counter;
    counter
}

unsafe extern "C" fn play(job: *const Job, me: *mut Worker) {
    let (job, me) = (&*job, &mut *me);
    let pair = &*(job.object as *const Pair);
    let (mine, other) = (&pair.sides[me.index as usize].0, &pair.sides[1 - me.index as usize].0);
    pair.runtime.block_on(async {
        let (mut my_turn, mut over) = (me.index == 0, false);
        while !over {
            if !my_turn {
                mine.notified().await;
            }
            my_turn = false;
            let turns = &mut *pair.turns.get();
            over = turns.over;
            if !over {
                turns.counter += 1;
                me.operations += 1;
                turns.over = job.stopped();
            }
            other.notify_one();
        }
    });
}

// ---- A task that spawns a task

struct Spawner {
    runtime: Runtime,
    counter: u64,
}

unsafe extern "C" fn create_spawner(_: *const Job) -> *mut c_void {
    Box::into_raw(Box::new(Spawner { runtime: runtime(), counter: 0 })) as *mut c_void
}

unsafe extern "C" fn destroy_spawner(object: *mut c_void) -> u64 {
    Box::from_raw(object as *mut Spawner).counter
}

unsafe extern "C" fn spawn(job: *const Job, me: *mut Worker) {
    let spawner = &mut *((*job).object as *mut Spawner);
    while !(*job).stopped() {
        spawner.runtime.block_on(async {
            let (outer_done, outer) = oneshot::channel();
            tokio::spawn(async move {
                let (inner_done, inner) = oneshot::channel();
                tokio::spawn(async move { inner_done.send(()).unwrap() });
                inner.await.unwrap();
                outer_done.send(()).unwrap();
            });
            outer.await.unwrap();
        });
        spawner.counter += 1;
        (*me).operations += 1;
    }
}

// ---- A server

/// Begins as plc_bench_echo_server.
#[repr(C)]
struct Server {
    answers: u64,
    port: u64,
    runtime: Runtime,
}

async fn serve(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut buffer = [0u8; 8192];
            if stream.set_nodelay(true).is_err() {
                return;
            }
            loop {
                match stream.read(&mut buffer).await {
                    Ok(count) if count > 0 => {
                        if stream.write_all(&buffer[..count]).await.is_err() {
                            return;
                        }
                    }
                    _ => return,
                }
            }
        });
    }
}

unsafe extern "C" fn create_server(_: *const Job) -> *mut c_void {
    let runtime = runtime();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port() as u64;
    runtime.spawn(serve(listener));
    Box::into_raw(Box::new(Server { answers: 0, port, runtime })) as *mut c_void
}

unsafe extern "C" fn destroy_server(object: *mut c_void) -> u64 {
    let server = Box::from_raw(object as *mut Server);
    let answers = server.answers;
    drop(server.runtime);
    answers
}

unsafe extern "C" fn be_client(job: *const Job, me: *mut Worker) {
    plc_bench_echo_client(job, me);
}

#[no_mangle]
pub static plc_bench_tokio: PeerTable = PeerTable {
    permit: Some(permit),
    block_on: Some(block_on),
    register_and_wake: Some(register_and_wake),
    block_on_ping_pong: Kernel::new(create_pair, play, destroy_pair),
    spawn: Kernel::new(create_spawner, spawn, destroy_spawner),
    echo: Kernel::new(create_server, be_client, destroy_server),
    ..PeerTable::nothing(b"tokio\0".as_ptr() as *const c_char)
};
