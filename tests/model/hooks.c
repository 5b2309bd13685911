/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The calls that gcc and clang emit under -fsanitize=thread, and the scenarios' own. */
#include "internal.h"

#include <string.h>

/* Most of these are declared nowhere: the compiler invents the calls. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wmissing-declarations"

#define SITE __builtin_return_address(0)

/* The compilers may set flags above the order itself. */
enum { ORDER_MASK = 7 };

static bool modelled(void) {
    return mc.mode == MODE_MODEL;
}

/* ---- Plain accesses */

static void plain(const volatile void *address, size_t size, bool write, const void *site) {
    if (coverage_owns((uintptr_t)address))
        return;
    if (write)
        static_data_dirty((uintptr_t)address, size);
    if (modelled())
        race_plain((uintptr_t)address, size, write, site);
}

#define PLAIN(name, size, write)                                                                                       \
    void __tsan_##name(void *address) {                                                                                \
        plain(address, size, write, SITE);                                                                             \
    }
#define PLAIN_OF_SIZE(size)                                                                                            \
    PLAIN(read##size, size, false)                                                                                     \
    PLAIN(write##size, size, true)                                                                                     \
    PLAIN(read_write##size, size, true)                                                                                \
    PLAIN(volatile_read##size, size, false)                                                                            \
    PLAIN(volatile_write##size, size, true)                                                                            \
    PLAIN(unaligned_read##size, size, false)                                                                           \
    PLAIN(unaligned_write##size, size, true)                                                                           \
    PLAIN(unaligned_read_write##size, size, true)                                                                      \
    PLAIN(unaligned_volatile_read##size, size, false)                                                                  \
    PLAIN(unaligned_volatile_write##size, size, true)
PLAIN_OF_SIZE(1)
PLAIN_OF_SIZE(2)
PLAIN_OF_SIZE(4)
PLAIN_OF_SIZE(8)
PLAIN_OF_SIZE(16)

void __tsan_read_range(void *address, unsigned long size) {
    plain(address, size, false, SITE);
}

void __tsan_write_range(void *address, unsigned long size) {
    plain(address, size, true, SITE);
}

/* The executable is linked with --wrap for these, since gcc leaves them as they are. */
void *__wrap_memcpy(void *to, const void *from, size_t size) {
    plain(from, size, false, SITE);
    plain(to, size, true, SITE);
    return memcpy(to, from, size);
}

void *__wrap_memmove(void *to, const void *from, size_t size) {
    plain(from, size, false, SITE);
    plain(to, size, true, SITE);
    return memmove(to, from, size);
}

void *__wrap_memset(void *to, int byte, size_t size) {
    plain(to, size, true, SITE);
    return memset(to, byte, size);
}

/* Newer clangs call these instead. */
void *__tsan_memcpy(void *to, const void *from, size_t size) {
    plain(from, size, false, SITE);
    plain(to, size, true, SITE);
    return memcpy(to, from, size);
}

void *__tsan_memmove(void *to, const void *from, size_t size) {
    plain(from, size, false, SITE);
    plain(to, size, true, SITE);
    return memmove(to, from, size);
}

void *__tsan_memset(void *to, int byte, size_t size) {
    plain(to, size, true, SITE);
    return memset(to, byte, size);
}

/* ---- Atomic operations */

static uint64_t load(const volatile void *address, uint8_t size, int order, const void *site) {
    if (!modelled())
        return memory_read((uintptr_t)address, size);
    order = mutate_order(order & ORDER_MASK, OP_LOAD, false, site);
    operation_begin(OP_LOAD, address, size, order, site);
    return operation_run();
}

static void store(volatile void *address, uint8_t size, uint64_t value, int order, const void *site) {
    if (!modelled()) {
        memory_write((uintptr_t)address, size, value);
        return;
    }
    order = mutate_order(order & ORDER_MASK, OP_STORE, false, site);
    operation_begin(OP_STORE, address, size, order, site)->operand = value;
    operation_run();
}

static uint64_t modify(volatile void *address, uint8_t size, int rmw, uint64_t operand, int order, const void *site) {
    if (!modelled()) {
        uint64_t old = memory_read((uintptr_t)address, size);
        memory_write((uintptr_t)address, size, memory_apply(rmw, old, operand, size));
        return old;
    }
    order = mutate_order(order & ORDER_MASK, OP_RMW, false, site);
    struct operation *op = operation_begin(OP_RMW, address, size, order, site);
    op->rmw = (uint8_t)rmw;
    op->operand = operand;
    return operation_run();
}

struct cas_result {
    uint64_t found;
    bool success;
};

static struct cas_result compare_exchange(volatile void *address, uint8_t size, uint64_t expected, uint64_t value,
                                          int order, int failure_order, bool weak, const void *site) {
    if (!modelled()) {
        uint64_t found = memory_read((uintptr_t)address, size);
        if (found == expected)
            memory_write((uintptr_t)address, size, value);
        return (struct cas_result){found, found == expected};
    }
    order = mutate_order(order & ORDER_MASK, OP_CAS, false, site);
    failure_order = mutate_order(failure_order & ORDER_MASK, OP_CAS, true, site);
    struct operation *op = operation_begin(OP_CAS, address, size, order, site);
    op->failure_order = (uint8_t)failure_order;
    op->weak = weak;
    op->expected = expected;
    op->operand = value;
    const struct thread *self = &mc.thread[mc.current];
    operation_run();
    return (struct cas_result){self->op.result, self->op.success};
}

#define MODIFY(bits, name, rmw)                                                                                        \
    uint##bits##_t __tsan_atomic##bits##_##name(volatile void *address, uint##bits##_t operand, int order) {           \
        return (uint##bits##_t)modify(address, bits / 8, rmw, operand, order, SITE);                                   \
    }

/* The expected value is an object of the caller's, and usually in its frame; it is written only on failure. */
#define COMPARE_EXCHANGE(bits, name, weak)                                                                             \
    int __tsan_atomic##bits##_compare_exchange_##name(volatile void *address, uint##bits##_t *expected,                \
                                                      uint##bits##_t value, int order, int failure_order) {            \
        struct cas_result result =                                                                                     \
            compare_exchange(address, bits / 8, *expected, value, order, failure_order, weak, SITE);                   \
        if (!result.success) {                                                                                         \
            static_data_dirty((uintptr_t)expected, bits / 8);                                                          \
            *expected = (uint##bits##_t)result.found;                                                                  \
        }                                                                                                              \
        return result.success;                                                                                         \
    }

/* Clang's form tells success by the value found, so it cannot fail spuriously. */
#define ATOMICS(bits)                                                                                                  \
    uint##bits##_t __tsan_atomic##bits##_load(const volatile void *address, int order) {                               \
        return (uint##bits##_t)load(address, bits / 8, order, SITE);                                                   \
    }                                                                                                                  \
    void __tsan_atomic##bits##_store(volatile void *address, uint##bits##_t value, int order) {                        \
        store(address, bits / 8, value, order, SITE);                                                                  \
    }                                                                                                                  \
    MODIFY(bits, exchange, RMW_EXCHANGE)                                                                               \
    MODIFY(bits, fetch_add, RMW_ADD)                                                                                   \
    MODIFY(bits, fetch_sub, RMW_SUB)                                                                                   \
    MODIFY(bits, fetch_and, RMW_AND)                                                                                   \
    MODIFY(bits, fetch_or, RMW_OR)                                                                                     \
    MODIFY(bits, fetch_xor, RMW_XOR)                                                                                   \
    MODIFY(bits, fetch_nand, RMW_NAND)                                                                                 \
    COMPARE_EXCHANGE(bits, strong, false)                                                                              \
    COMPARE_EXCHANGE(bits, weak, true)                                                                                 \
    uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(volatile void *address, uint##bits##_t expected,         \
                                                              uint##bits##_t value, int order, int failure_order) {    \
        return (uint##bits##_t)compare_exchange(address, bits / 8, expected, value, order, failure_order, false, SITE) \
            .found;                                                                                                    \
    }
ATOMICS(8)
ATOMICS(16)
ATOMICS(32)
ATOMICS(64)

/* Only seq_cst fences concern other threads; the others change what this thread knows, now. */
void __tsan_atomic_thread_fence(int order) {
    if (!modelled())
        return;
    order = mutate_order(order & ORDER_MASK, OP_FENCE, false, SITE);
    if (order == SEQ_CST) {
        operation_begin(OP_FENCE, NULL, 0, order, SITE);
        operation_run();
    } else {
        memory_fence(&mc.thread[mc.current], order);
        mc.thread[mc.current].current.clock[mc.current]++;
    }
}

void __tsan_atomic_signal_fence(int order) {
    (void)order;
}

void __tsan_init(void) {}

void __tsan_func_entry(void *caller) {
    (void)caller;
}

void __tsan_func_exit(void) {}
