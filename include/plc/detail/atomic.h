/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The only header that spells atomic operations: each carries its memory order in its name, and works in C and C++. */
#ifndef PLC_DETAIL_ATOMIC_H
#define PLC_DETAIL_ATOMIC_H

/* Plain objects of 1, 4 or 8 bytes are operated on through the compiler's builtins, so that the public types stay plain
   structures which zeroed memory initialises and C++ can embed. Nothing else in libplc says __atomic or _Atomic.

   Compare-and-swap takes a pointer to the expected value and stores the value found there when it fails. `_weak` may
   fail spuriously and belongs in loops. A failed one is relaxed unless its name ends in `_or_acquire`.

   There is one sequentially consistent operation, plc_fence_seq_cst(); whoever uses it names the other side of the
   store-load pair in a comment. */

#define plc_load_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define plc_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)

#define plc_store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define plc_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

#define plc_exchange_relaxed(p, v) __atomic_exchange_n((p), (v), __ATOMIC_RELAXED)
#define plc_exchange_acquire(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQUIRE)
#define plc_exchange_release(p, v) __atomic_exchange_n((p), (v), __ATOMIC_RELEASE)
#define plc_exchange_acq_rel(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)

#define plc_cas_(p, expected, v, weak, success, failure)                                                               \
    __atomic_compare_exchange_n((p), (expected), (v), (weak), (success), (failure))
#define plc_cas_relaxed(p, e, v) plc_cas_(p, e, v, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
#define plc_cas_acquire(p, e, v) plc_cas_(p, e, v, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)
#define plc_cas_acquire_or_acquire(p, e, v) plc_cas_(p, e, v, 0, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)
#define plc_cas_release(p, e, v) plc_cas_(p, e, v, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
#define plc_cas_release_or_acquire(p, e, v) plc_cas_(p, e, v, 0, __ATOMIC_RELEASE, __ATOMIC_ACQUIRE)
#define plc_cas_acq_rel(p, e, v) plc_cas_(p, e, v, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)
#define plc_cas_acq_rel_or_acquire(p, e, v) plc_cas_(p, e, v, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
#define plc_cas_relaxed_weak(p, e, v) plc_cas_(p, e, v, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
#define plc_cas_acquire_weak(p, e, v) plc_cas_(p, e, v, 1, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)
#define plc_cas_release_weak(p, e, v) plc_cas_(p, e, v, 1, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
#define plc_cas_release_or_acquire_weak(p, e, v) plc_cas_(p, e, v, 1, __ATOMIC_RELEASE, __ATOMIC_ACQUIRE)
#define plc_cas_acq_rel_weak(p, e, v) plc_cas_(p, e, v, 1, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)
#define plc_cas_acq_rel_or_acquire_weak(p, e, v) plc_cas_(p, e, v, 1, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)

#define plc_fetch_add_relaxed(p, v) __atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define plc_fetch_add_acquire(p, v) __atomic_fetch_add((p), (v), __ATOMIC_ACQUIRE)
#define plc_fetch_add_release(p, v) __atomic_fetch_add((p), (v), __ATOMIC_RELEASE)
#define plc_fetch_sub_relaxed(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_RELAXED)
#define plc_fetch_sub_release(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_RELEASE)
#define plc_fetch_sub_acq_rel(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_ACQ_REL)
#define plc_fetch_or_relaxed(p, v) __atomic_fetch_or((p), (v), __ATOMIC_RELAXED)
#define plc_fetch_or_release(p, v) __atomic_fetch_or((p), (v), __ATOMIC_RELEASE)
#define plc_fetch_or_acq_rel(p, v) __atomic_fetch_or((p), (v), __ATOMIC_ACQ_REL)
#define plc_fetch_and_relaxed(p, v) __atomic_fetch_and((p), (v), __ATOMIC_RELAXED)
#define plc_fetch_and_release(p, v) __atomic_fetch_and((p), (v), __ATOMIC_RELEASE)
/* The result, not the old value: a compiler turns a test of it against zero into one instruction's flags. */
#define plc_sub_fetch_release(p, v) __atomic_sub_fetch((p), (v), __ATOMIC_RELEASE)

#define plc_fence_seq_cst() __atomic_thread_fence(__ATOMIC_SEQ_CST)

/* The same right behind a read-modify-write, which is a full barrier already on x86: there it binds the compiler alone.
   The model checker always sees the fence. */
#if (defined(__x86_64__) || defined(__i386__)) && !defined(PLC_MODEL)
#define plc_fence_seq_cst_after_rmw() __atomic_signal_fence(__ATOMIC_SEQ_CST)
#else
#define plc_fence_seq_cst_after_rmw() plc_fence_seq_cst()
#endif

/* Binds the compiler alone: the cheap side of a store-load pair whose other side is plc_os_process_barrier(). */
#define plc_fence_compiler() __atomic_signal_fence(__ATOMIC_SEQ_CST)

#endif
