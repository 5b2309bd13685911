/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The dump from a signal handler, in threads that hammer locks, grow the table and name their locks meanwhile. */
#include <plc/debug.h>
#include <plc/plc.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "support/stress.h"

namespace {

using plc_test::Random;

/* The handlers write here; everything else is checked in the threads. */
int null_fd = -1;
std::atomic<uint64_t> dumps{0};
std::atomic<uint64_t> seen{0};
std::atomic<uint64_t> busy{0};
std::atomic<uint64_t> strangers{0};

struct Subject {
    plc_mutex_t mutex;
    plc_rwlock_t rwlock;
    plc_condvar_t condvar;
    uint64_t guarded_by_mutex;
    uint64_t guarded_by_rwlock;
};
constexpr size_t subject_count = 8;
Subject subjects[subject_count];

/* What a waiter waits for must be one of our objects: anything else was read from a node that had gone. */
bool check(void *, const plc_debug_waiter *waiter) {
    const auto address = reinterpret_cast<uintptr_t>(waiter->object);
    const auto first = reinterpret_cast<uintptr_t>(&subjects[0]);
    seen.fetch_add(1, std::memory_order_relaxed);
    if (address < first || address >= first + sizeof subjects || waiter->thread_id == 0)
        strangers.fetch_add(1, std::memory_order_relaxed);
    char name[PLC_DEBUG_NAME_SIZE];
    if (plc_debug_name_of(waiter->object, name, sizeof name)) {
        /* All letters of a name are the same. */
        if (std::strspn(name, std::string_view(name).substr(0, 1) == "a" ? "a" : "b") != std::strlen(name))
            strangers.fetch_add(1, std::memory_order_relaxed);
    }
    return true;
}

void handle(int) {
    const int saved_errno = errno;
    busy.fetch_add(plc_debug_for_each_waiter(check, nullptr), std::memory_order_relaxed);
    plc_debug_dump(null_fd);
    dumps.fetch_add(1, std::memory_order_relaxed);
    errno = saved_errno;
}

void use(Subject &subject, Random &random) {
    switch (random.below(8)) {
    case 0:
        plc_mutex_lock(&subject.mutex);
        plc_condvar_wait_until(&subject.condvar, &subject.mutex, plc_deadline_after_ns(20000));
        subject.guarded_by_mutex++;
        plc_mutex_unlock(&subject.mutex);
        break;
    case 1:
        plc_mutex_lock(&subject.mutex);
        subject.guarded_by_mutex++;
        plc_mutex_unlock(&subject.mutex);
        plc_condvar_notify_all(&subject.condvar);
        break;
    case 2:
        plc_rwlock_write_lock(&subject.rwlock);
        subject.guarded_by_rwlock++;
        plc_rwlock_write_unlock(&subject.rwlock);
        break;
    case 3: {
        const std::string name(1 + random.below(PLC_DEBUG_NAME_SIZE - 1), random.one_in(2) ? 'a' : 'b');
        plc_debug_name(&subject.mutex, name.c_str());
        break;
    }
    case 4:
        plc_debug_forget(&subject.mutex);
        break;
    case 5:
        plc_rwlock_read_lock(&subject.rwlock);
        plc_rwlock_read_unlock(&subject.rwlock);
        break;
    default:
        plc_mutex_lock(&subject.mutex);
        plc_mutex_unlock(&subject.mutex);
        break;
    }
}

TEST(DebugStress, DumpsFromSignalHandlersWhileThreadsHammerLocks) {
    constexpr size_t thread_count = 4;
    const size_t rounds = plc_test::scaled(40000);
    struct sigaction action = {};
    action.sa_handler = handle;
    ASSERT_EQ(sigaction(SIGUSR1, &action, nullptr), 0);
    null_fd = open("/dev/null", O_WRONLY);
    ASSERT_GE(null_fd, 0);

    /* Each thread interrupts itself now and then, and another one: at any instruction. */
    std::atomic<pthread_t> threads[thread_count] = {};
    std::atomic<size_t> ready{0};
    std::atomic<size_t> done{0};
    plc_test::run_threads(thread_count, [&](size_t index, Random &random) {
        threads[index] = pthread_self();
        ready++;
        while (ready != thread_count)
            std::this_thread::yield();
        for (size_t round = 0; round < rounds; ++round) {
            use(subjects[random.below(random.one_in(2) ? 1 : subject_count)], random);
            if (random.one_in(30))
                pthread_kill(threads[random.below(thread_count)], SIGUSR1);
        }
        done++; /* nobody ends while another one may still signal it */
        while (done != thread_count)
            std::this_thread::yield();
    });
    close(null_fd);
    std::printf("%llu dumps, %llu waiters seen, %llu buckets busy\n", static_cast<unsigned long long>(dumps),
                static_cast<unsigned long long>(seen), static_cast<unsigned long long>(busy));
    EXPECT_GT(dumps, 0U);
    EXPECT_EQ(strangers, 0U);
    size_t left = 0;
    plc_debug_for_each_waiter(
        [](void *context, const plc_debug_waiter *) { return ++*static_cast<size_t *>(context) > 0; }, &left);
    EXPECT_EQ(left, 0U);
}

} // namespace
