/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The calls that gcc and clang emit under -fsanitize=thread: each access passes through the simulated caches. */
#include "simulator.h"

/* Declared nowhere: the compiler invents the calls. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wmissing-declarations"

#define PLAIN(name, size, how)                                                                                         \
    void __tsan_##name(void *address) {                                                                                \
        sim_access(address, size, how);                                                                                \
    }
#define PLAIN_OF_SIZE(size)                                                                                            \
    PLAIN(read##size, size, SIM_READ)                                                                                  \
    PLAIN(write##size, size, SIM_WRITE)                                                                                \
    PLAIN(read_write##size, size, SIM_WRITE)                                                                           \
    PLAIN(volatile_read##size, size, SIM_READ)                                                                         \
    PLAIN(volatile_write##size, size, SIM_WRITE)                                                                       \
    PLAIN(unaligned_read##size, size, SIM_READ)                                                                        \
    PLAIN(unaligned_write##size, size, SIM_WRITE)                                                                      \
    PLAIN(unaligned_read_write##size, size, SIM_WRITE)                                                                 \
    PLAIN(unaligned_volatile_read##size, size, SIM_READ)                                                               \
    PLAIN(unaligned_volatile_write##size, size, SIM_WRITE)
PLAIN_OF_SIZE(1)
PLAIN_OF_SIZE(2)
PLAIN_OF_SIZE(4)
PLAIN_OF_SIZE(8)
PLAIN_OF_SIZE(16)

void __tsan_read_range(void *address, unsigned long size) {
    sim_access(address, size, SIM_READ);
}

void __tsan_write_range(void *address, unsigned long size) {
    sim_access(address, size, SIM_WRITE);
}

/* Fibers share one kernel thread and change places only in these calls: between the access and the operation nobody
   comes, so the operation itself may be plain. */
#define MODIFY(bits, name, operation)                                                                                  \
    uint##bits##_t __tsan_atomic##bits##_##name(volatile uint##bits##_t *address, uint##bits##_t operand, int order) { \
        (void)order;                                                                                                   \
        sim_access(address, bits / 8, SIM_MODIFY);                                                                     \
        uint##bits##_t old = *address;                                                                                 \
        *address = (uint##bits##_t)(operation);                                                                        \
        return old;                                                                                                    \
    }

#define COMPARE_EXCHANGE(bits, name)                                                                                   \
    int __tsan_atomic##bits##_compare_exchange_##name(volatile uint##bits##_t *address, uint##bits##_t *expected,      \
                                                      uint##bits##_t value, int order, int failure_order) {            \
        (void)order;                                                                                                   \
        (void)failure_order;                                                                                           \
        sim_access(address, bits / 8, SIM_MODIFY);                                                                     \
        uint##bits##_t found = *address;                                                                               \
        if (found == *expected) {                                                                                      \
            *address = value;                                                                                          \
            return 1;                                                                                                  \
        }                                                                                                              \
        *expected = found;                                                                                             \
        return 0;                                                                                                      \
    }

#define ATOMICS(bits)                                                                                                  \
    uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *address, int order) {                     \
        (void)order;                                                                                                   \
        sim_access(address, bits / 8, SIM_READ);                                                                       \
        return *address;                                                                                               \
    }                                                                                                                  \
    void __tsan_atomic##bits##_store(volatile uint##bits##_t *address, uint##bits##_t value, int order) {              \
        (void)order;                                                                                                   \
        sim_access(address, bits / 8, SIM_WRITE);                                                                      \
        *address = value;                                                                                              \
    }                                                                                                                  \
    MODIFY(bits, exchange, operand)                                                                                    \
    MODIFY(bits, fetch_add, old + operand)                                                                             \
    MODIFY(bits, fetch_sub, old - operand)                                                                             \
    MODIFY(bits, fetch_and, old &operand)                                                                              \
    MODIFY(bits, fetch_or, old | operand)                                                                              \
    MODIFY(bits, fetch_xor, old ^ operand)                                                                             \
    COMPARE_EXCHANGE(bits, strong)                                                                                     \
    COMPARE_EXCHANGE(bits, weak)                                                                                       \
    uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(volatile uint##bits##_t *address,                        \
                                                              uint##bits##_t expected, uint##bits##_t value,           \
                                                              int order, int failure_order) {                          \
        __tsan_atomic##bits##_compare_exchange_strong(address, &expected, value, order, failure_order);                \
        return expected;                                                                                               \
    }
ATOMICS(8)
ATOMICS(16)
ATOMICS(32)
ATOMICS(64)

void __tsan_atomic_thread_fence(int order) {
    (void)order;
    sim_pass(SIM_MODIFY_NS);
}

void __tsan_atomic_signal_fence(int order) {
    (void)order;
}

void __tsan_init(void) {}

void __tsan_func_entry(void *caller) {
    (void)caller;
}

void __tsan_func_exit(void) {}
