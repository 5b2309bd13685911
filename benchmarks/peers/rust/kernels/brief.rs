// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a thread of a short life does: a few sections under a mutex that others want too.
use super::contended::create_mutex;
use super::object::{destroy_guarded, Guarded};
use crate::abi::{delay, Job, Kernel, Worker};
use crate::peer::Mutex;

unsafe extern "C" fn brief_life<M: Mutex>(job: *const Job, me: *mut Worker) {
    let (job, me) = (&*job, &mut *me);
    let object = &*(job.object as *const Guarded<M>);
    for _ in 0..job.turns {
        object.lock.locked(|| {
            let count = object.counter.read();
            delay(job.section);
            object.counter.write(count + 1);
        });
        me.operations += 1;
    }
}

pub const fn brief_kernel<M: Mutex>() -> Kernel {
    Kernel::new(create_mutex::<M>, brief_life::<M>, destroy_guarded::<M>)
}
