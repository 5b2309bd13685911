/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the platform layer can say on a POSIX system that it does not know better. */
#include <plc/detail/atomic.h>
#include <pthread.h>
#include <unistd.h>

#include "platform/platform.h"

void plc_os_expect_sleepers(uint32_t sleepers) {
    (void)sleepers;
}

unsigned plc_os_processor_count(void) {
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : (unsigned)count;
}

uint32_t plc_os_processor(void) {
    return PLC_OS_UNKNOWN_PROCESSOR;
}

bool plc_os_process_barrier_prepare(void) {
    return false; /* the threads pass fences of their own instead */
}

bool plc_os_process_barrier(void) {
    return false;
}

bool plc_os_wipe_on_fork(void *pages, size_t size) {
    (void)pages;
    (void)size;
    return false; /* the fork handler empties the lot instead */
}

int64_t plc_os_coarse_now_ns(void) {
    return plc_os_now_ns(PLC_CLOCK_MONOTONIC);
}

uint64_t plc_os_thread_id(void) {
    return (uint64_t)(uintptr_t)pthread_self();
}
