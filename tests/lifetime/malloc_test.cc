/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A malloc that is guarded by a plc_mutex, for the whole program: nothing in libplc may allocate, or it would recurse. */
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <plc/mutex.h>
#include <thread>
#include <vector>

#include "support/internal.h"
#include "support/stress.h"

/* A sanitizer has a malloc of its own. */
#if !defined(PLC_TEST_ASAN) && !defined(PLC_TEST_TSAN) && defined(__GLIBC__)
#define PLC_TEST_OWN_MALLOC 1

namespace {

/* Zeroed, so that it works before any constructor, when the loader allocates. */
plc_mutex_t heap_mutex;
std::atomic<size_t> allocations;
std::atomic<size_t> contended;
__thread bool inside; /* the calling thread is between the lock and the unlock, or in one of them */

/* Enters the heap; a second entry by the same thread means that locking allocated. */
void enter_heap() {
    if (inside)
        plc_os_fatal("heap", &heap_mutex, "a lock operation allocates");
    inside = true;
    if (!plc_mutex_try_lock(&heap_mutex)) {
        contended.fetch_add(1, std::memory_order_relaxed);
        plc_mutex_lock(&heap_mutex);
    }
}

void leave_heap() {
    plc_mutex_unlock(&heap_mutex);
    inside = false;
}

} // namespace

extern "C" {
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

void *malloc(size_t size) {
    enter_heap();
    void *memory = __libc_malloc(size);
    allocations.fetch_add(1, std::memory_order_relaxed);
    leave_heap();
    return memory;
}
void *calloc(size_t count, size_t size) {
    enter_heap();
    void *memory = __libc_calloc(count, size);
    leave_heap();
    return memory;
}
void *realloc(void *memory, size_t size) {
    enter_heap();
    void *moved = __libc_realloc(memory, size);
    leave_heap();
    return moved;
}
void *memalign(size_t alignment, size_t size) {
    enter_heap();
    void *memory = __libc_memalign(alignment, size);
    leave_heap();
    return memory;
}
void *aligned_alloc(size_t alignment, size_t size) {
    return memalign(alignment, size);
}
int posix_memalign(void **memory, size_t alignment, size_t size) {
    *memory = memalign(alignment, size);
    return *memory ? 0 : ENOMEM;
}
void free(void *memory) {
    enter_heap();
    __libc_free(memory);
    leave_heap();
}
}

namespace {

TEST(Malloc, WorksUnderAMutexOfOurs) {
    const size_t before = allocations.load();
    const size_t rounds = plc_test::scaled(20'000);
    plc_test::run_threads(6, [rounds](size_t index, plc_test::Random &random) {
        std::vector<unsigned char *> blocks(64);
        std::vector<size_t> sizes(64);
        for (size_t i = 0; i < rounds; ++i) {
            const size_t at = random.below(blocks.size());
            for (size_t byte = 0; byte < sizes[at]; ++byte)
                ASSERT_EQ(blocks[at][byte], static_cast<unsigned char>(index));
            std::free(blocks[at]);
            sizes[at] = random.below(64) + 1;
            blocks[at] = static_cast<unsigned char *>(std::malloc(sizes[at]));
            std::memset(blocks[at], static_cast<int>(index), sizes[at]);
        }
        for (unsigned char *block : blocks)
            std::free(block);
    });
    EXPECT_GE(allocations.load(), before + 6 * rounds);
    RecordProperty("contended", std::to_string(contended.load()));
}

/* The same with the mutex held up, so that threads park and are woken inside malloc for certain. */
TEST(Malloc, ThreadsParkInside) {
    std::atomic<int> allocating{0};
    std::vector<std::thread> threads;
    threads.reserve(3);
    const size_t contended_before = contended.load();
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&allocating] {
            while (allocating.load() == 0)
                std::this_thread::yield();
            std::free(std::malloc(100));
        });
    }
    plc_mutex_lock(&heap_mutex);
    allocating = 1;
    /* Counted by hand: a look into the lot from here must not allocate either. */
    size_t parked = 0;
    while (parked != 3) {
        parked = 0;
        plc_lot_unpark_filter(
            plc_lot_key(&heap_mutex, PLC_WAITER_MUTEX),
            [](void *context, uintptr_t) {
                ++*static_cast<size_t *>(context);
                return PLC_FILTER_SKIP;
            },
            nullptr, &parked);
        std::this_thread::yield();
    }
    plc_mutex_unlock(&heap_mutex);
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_GE(contended.load(), contended_before + 3);
}

} // namespace

#else

TEST(Malloc, WorksUnderAMutexOfOurs) {
    GTEST_SKIP() << "the sanitizer has a malloc of its own";
}

#endif
