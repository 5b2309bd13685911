/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Short names for the litmus tests. */
#ifndef PLC_LITMUS_H
#define PLC_LITMUS_H

#include "../mc.h"

#define RLX __ATOMIC_RELAXED
#define ACQ __ATOMIC_ACQUIRE
#define REL __ATOMIC_RELEASE
#define AR __ATOMIC_ACQ_REL
#define SC __ATOMIC_SEQ_CST

#define LOAD(object, order) __atomic_load_n(&(object), order)
#define STORE(object, value, order) __atomic_store_n(&(object), (value), order)
#define ADD(object, value, order) __atomic_fetch_add(&(object), (value), order)
#define EXCHANGE(object, value, order) __atomic_exchange_n(&(object), (value), order)
#define CAS(object, expected, value, order, failure)                                                                   \
    __atomic_compare_exchange_n(&(object), &(expected), (value), 0, order, failure)
#define CAS_WEAK(object, expected, value, order, failure)                                                              \
    __atomic_compare_exchange_n(&(object), &(expected), (value), 1, order, failure)
#define FENCE(order) __atomic_thread_fence(order)

#endif
