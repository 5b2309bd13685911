/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What scenarios and the model of the operating system call. */
#include "internal.h"

#define SITE __builtin_return_address(0)

int mc_self(void) {
    return mc.current;
}

int mc_thread_count(void) {
    return mc.scenario->threads;
}

int mc_choose(int n) {
    if (mc.mode != MODE_MODEL || n < 2)
        return 0;
    operation_begin(OP_CHOOSE, NULL, 0, RELAXED, SITE)->operand = (uint64_t)n;
    return (int)operation_run();
}

void mc_yield(void) {
    if (mc.mode != MODE_MODEL)
        return;
    operation_begin(OP_YIELD, NULL, 0, RELAXED, SITE);
    operation_run();
}

void mc_lock(const void *lock) {
    if (mc.mode != MODE_MODEL)
        return;
    operation_begin(OP_LOCK, lock, 0, ACQUIRE, SITE);
    operation_run();
}

bool mc_try_lock(const void *lock) {
    if (mc.mode != MODE_MODEL)
        return true;
    const struct thread *self = &mc.thread[mc.current];
    operation_begin(OP_TRY_LOCK, lock, 0, ACQUIRE, SITE);
    operation_run();
    return self->op.success;
}

void mc_unlock(const void *lock) {
    if (mc.mode != MODE_MODEL)
        return;
    operation_begin(OP_UNLOCK, lock, 0, RELEASE, SITE);
    operation_run();
}

void mc_lifetime_end(const void *object, size_t size) {
    mc_lifetime_end_at(object, size, SITE);
}

void mc_lifetime_end_at(const void *object, size_t size, const void *site) {
    if (mc.mode == MODE_MODEL)
        race_lifetime_end((uintptr_t)object, size, site);
}

enum mc_wait_result mc_futex_wait_bits(const uint32_t *word, uint32_t expected, uint32_t bits, int64_t deadline,
                                       const void *site) {
    if (mc.mode != MODE_MODEL)
        execution_failed(MC_DEADLOCK, site, NULL, "setup or finish waits");
    struct operation *op = operation_begin(OP_FUTEX_WAIT, word, 4, RELAXED, site);
    op->expected = expected;
    op->deadline = deadline;
    op->bits = bits;
    return (enum mc_wait_result)operation_run();
}

enum mc_wait_result mc_futex_wait(const uint32_t *word, uint32_t expected, int64_t deadline, const void *site) {
    return mc_futex_wait_bits(word, expected, UINT32_MAX, deadline, site);
}

static void wake(const uint32_t *word, uint64_t count, uint32_t bits, const void *site) {
    if (mc.mode != MODE_MODEL || mutate_drops_wake(site))
        return;
    struct operation *op = operation_begin(OP_FUTEX_WAKE, word, 4, RELAXED, site);
    op->operand = count;
    op->bits = bits;
    operation_run();
}

void mc_futex_wake(const uint32_t *word, int count, const void *site) {
    wake(word, count < 0 ? 0 : (uint64_t)count, UINT32_MAX, site);
}

void mc_futex_wake_bits(const uint32_t *word, uint32_t bits, const void *site) {
    wake(word, UINT64_MAX, bits, site);
}

void mc_process_barrier(const void *site) {
    if (mc.mode != MODE_MODEL)
        return;
    operation_begin(OP_PROCESS_BARRIER, NULL, 0, SEQ_CST, site);
    operation_run();
}

/* While the clock cannot jump, reading it is no step: it would only multiply the schedules. */
int64_t mc_now(const void *site) {
    if (mc.mode != MODE_MODEL || mc.options.clock_jumps == 0)
        return mc.now;
    operation_begin(OP_CLOCK, NULL, 0, RELAXED, site);
    return (int64_t)operation_run();
}
