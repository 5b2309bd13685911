/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* plc/debug.h: names, who waits for what, the dump, and hooks that are called exactly once for each wait. */
#include <plc/debug.h>
#include <plc/plc.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <sstream>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include "support/bucket_keys.h"
#include "support/lot_probe.h"
#include "support/waiter_thread.h"

namespace {

using plc_test::park_thread;
using plc_test::wait_until_parked;

std::string name_of(const void *object) {
    char name[PLC_DEBUG_NAME_SIZE];
    std::memset(name, 'x', sizeof name);
    const bool found = plc_debug_name_of(object, name, sizeof name);
    EXPECT_EQ(found, name[0] != '\0');
    return name;
}

/* What a dump writes. It fits into a pipe. */
std::string dump() {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    plc_debug_dump(ends[1]);
    close(ends[1]);
    std::string text;
    char piece[4096];
    for (ssize_t length; (length = read(ends[0], piece, sizeof piece)) > 0;)
        text.append(piece, static_cast<size_t>(length));
    close(ends[0]);
    return text;
}

std::string address_of(const void *object) {
    std::ostringstream text;
    text << "0x" << std::hex << reinterpret_cast<uintptr_t>(object);
    return text.str();
}

std::vector<plc_debug_waiter> all_waiters() {
    std::vector<plc_debug_waiter> found;
    EXPECT_EQ(plc_debug_for_each_waiter(
                  [](void *context, const plc_debug_waiter *waiter) {
                      static_cast<std::vector<plc_debug_waiter> *>(context)->push_back(*waiter);
                      return true;
                  },
                  &found),
              0U);
    return found;
}

std::vector<plc_debug_waiter> waiters_of(const void *object) {
    std::vector<plc_debug_waiter> found = all_waiters();
    found.erase(std::remove_if(found.begin(), found.end(),
                               [object](const plc_debug_waiter &waiter) { return waiter.object != object; }),
                found.end());
    return found;
}

/* ---- Names */

TEST(DebugNames, AreKeptChangedAndForgotten) {
    static const char a = 0;
    static const char b = 0;
    EXPECT_EQ(name_of(&a), "");
    EXPECT_TRUE(plc_debug_name(&a, "a"));
    EXPECT_TRUE(plc_debug_name(&b, "b"));
    EXPECT_TRUE(plc_debug_name(&a, "another name"));
    EXPECT_EQ(name_of(&a), "another name");
    EXPECT_EQ(name_of(&b), "b");
    plc_debug_forget(&a);
    plc_debug_forget(&a);
    EXPECT_EQ(name_of(&a), "");
    EXPECT_EQ(name_of(&b), "b");
    plc_debug_forget(&b);
    EXPECT_FALSE(plc_debug_name(nullptr, "nobody"));
    EXPECT_EQ(name_of(nullptr), "");
    plc_debug_forget(nullptr);
}

TEST(DebugNames, AreCutWhereThereIsNoRoom) {
    static const char object = 0;
    const std::string longer(PLC_DEBUG_NAME_SIZE + 10, 'n');
    EXPECT_TRUE(plc_debug_name(&object, longer.c_str()));
    EXPECT_EQ(name_of(&object), longer.substr(0, PLC_DEBUG_NAME_SIZE - 1));
    char few[4] = "???";
    EXPECT_TRUE(plc_debug_name_of(&object, few, sizeof few));
    EXPECT_STREQ(few, "nnn");
    char none = '?';
    EXPECT_TRUE(plc_debug_name_of(&object, &none, 0));
    EXPECT_EQ(none, '?');
    plc_debug_forget(&object);
}

TEST(DebugNames, AreBoundedAndTheDumpSaysHowManyDidNotFit) {
    static const char objects[PLC_DEBUG_NAMES + 3] = {};
    for (size_t i = 0; i < PLC_DEBUG_NAMES; ++i)
        ASSERT_TRUE(plc_debug_name(&objects[i], std::to_string(i).c_str())) << i;
    for (size_t i = PLC_DEBUG_NAMES; i < sizeof objects; ++i)
        EXPECT_FALSE(plc_debug_name(&objects[i], "too many"));
    EXPECT_TRUE(plc_debug_name(&objects[7], "again")) << "what has a name may change it";
    EXPECT_EQ(name_of(&objects[7]), "again");
    EXPECT_EQ(name_of(&objects[PLC_DEBUG_NAMES - 1]), std::to_string(PLC_DEBUG_NAMES - 1));
    EXPECT_EQ(name_of(&objects[PLC_DEBUG_NAMES]), "");
    EXPECT_NE(dump().find("names that did not fit: 3"), std::string::npos) << dump();
    plc_debug_forget(&objects[0]);
    EXPECT_TRUE(plc_debug_name(&objects[PLC_DEBUG_NAMES], "fits now"));
    EXPECT_EQ(name_of(&objects[PLC_DEBUG_NAMES]), "fits now");
    for (const char &object : objects)
        plc_debug_forget(&object);
}

TEST(DebugNames, TheChildOfAForkHasThemAndMayNameMore) {
    static const char a = 0;
    static const char b = 0;
    ASSERT_TRUE(plc_debug_name(&a, "from before"));
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0)
        _exit(name_of(&a) == "from before" && plc_debug_name(&b, "later") && name_of(&b) == "later" ? 0 : 1);
    int status = -1;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    plc_debug_forget(&a);
}

/* ---- Who waits */

TEST(DebugWaiters, AreShownWithWhatTheyWaitFor) {
    static plc_mutex_t mutex;
    static plc_rwlock_t rwlock;
    std::atomic<uint64_t> ids[3] = {};
    plc_mutex_lock(&mutex);
    plc_rwlock_write_lock(&rwlock);
    std::thread locker([&] {
        ids[0] = plc_os_thread_id();
        plc_mutex_lock(&mutex);
        plc_mutex_unlock(&mutex);
    });
    std::thread reader([&] {
        ids[1] = plc_os_thread_id();
        plc_rwlock_read_lock(&rwlock);
        plc_rwlock_read_unlock(&rwlock);
    });
    wait_until_parked(&rwlock, 1, PLC_WAITER_RWLOCK);
    std::thread upgrader([&] {
        ids[2] = plc_os_thread_id();
        plc_rwlock_upgradable_lock(&rwlock);
        plc_rwlock_upgradable_unlock(&rwlock);
    });
    wait_until_parked(&mutex, 1, PLC_WAITER_MUTEX);
    wait_until_parked(&rwlock, 2, PLC_WAITER_RWLOCK);

    const auto lockers = waiters_of(&mutex);
    ASSERT_EQ(lockers.size(), 1U);
    EXPECT_EQ(lockers[0].kind, PLC_DEBUG_MUTEX);
    EXPECT_EQ(lockers[0].mode, PLC_DEBUG_EXCLUSIVE);
    EXPECT_EQ(lockers[0].thread_id, ids[0]);
    EXPECT_EQ(lockers[0].companions, 1U);
    EXPECT_GE(lockers[0].waited_ns, 0);
    EXPECT_EQ(lockers[0].token, 0U);
    const auto others = waiters_of(&rwlock);
    ASSERT_EQ(others.size(), 2U);
    EXPECT_EQ(others[0].kind, PLC_DEBUG_RWLOCK);
    EXPECT_EQ(others[0].mode, PLC_DEBUG_SHARED);
    EXPECT_EQ(others[0].thread_id, ids[1]);
    EXPECT_EQ(others[0].companions, 2U);
    EXPECT_EQ(others[1].mode, PLC_DEBUG_UPGRADABLE);
    EXPECT_EQ(others[1].thread_id, ids[2]);
    EXPECT_EQ(others[1].companions, 0U);

    plc_mutex_unlock(&mutex);
    plc_rwlock_write_unlock(&rwlock);
    locker.join();
    reader.join();
    upgrader.join();
    EXPECT_TRUE(all_waiters().empty());
}

TEST(DebugWaiters, AWriterThatDrainsIsShownUnderItsLock) {
    static plc_rwlock_t rwlock;
    plc_rwlock_read_lock(&rwlock);
    std::thread writer([] {
        plc_rwlock_write_lock(&rwlock);
        plc_rwlock_write_unlock(&rwlock);
    });
    while (waiters_of(&rwlock).empty())
        std::this_thread::yield();
    EXPECT_EQ(waiters_of(&rwlock).at(0).kind, PLC_DEBUG_RWLOCK_DRAIN);
    EXPECT_NE(dump().find("to write, for the readers to leave"), std::string::npos);
    plc_rwlock_read_unlock(&rwlock);
    writer.join();
}

TEST(DebugWaiters, AWriterThatWaitsForTheTableIsShownUnderItsLock) {
    static plc_rwlock_scalable_t rwlock;
    int reads = 0;
    /* After some reads the table is used; then a writer waits for the slot of this thread. */
    for (; !plc_load_relaxed(&rwlock.table_is_open) && reads < 100000; ++reads) {
        plc_rwlock_scalable_read_lock(&rwlock);
        plc_rwlock_scalable_read_unlock(&rwlock);
    }
    ASSERT_LT(reads, 100000);
    plc_rwlock_scalable_read_lock(&rwlock);
    std::thread writer([] {
        plc_rwlock_scalable_write_lock(&rwlock);
        plc_rwlock_scalable_write_unlock(&rwlock);
    });
    while (waiters_of(&rwlock).empty())
        std::this_thread::yield();
    EXPECT_EQ(waiters_of(&rwlock).at(0).kind, PLC_DEBUG_SCALABLE_DRAIN);
    plc_rwlock_scalable_read_unlock(&rwlock);
    writer.join();
}

TEST(DebugWaiters, MoreThanOneBatchOfOneBucket) {
    static const char key = 0;
    constexpr size_t many = 80;
    auto threads = plc_test::park_threads(&key, many, 1000);
    const auto found = waiters_of(&key);
    ASSERT_EQ(found.size(), many);
    for (size_t i = 0; i < many; ++i) {
        EXPECT_EQ(found[i].kind, PLC_DEBUG_PARK);
        EXPECT_EQ(found[i].token, 1000 + i) << "in the order of the queue";
        EXPECT_EQ(found[i].companions, i == 0 ? many : 0);
    }
    size_t shown = 0;
    plc_debug_for_each_waiter(
        [](void *context, const plc_debug_waiter *) { return ++*static_cast<size_t *>(context) < 5; }, &shown);
    EXPECT_EQ(shown, 5U) << "it ends when it is told to";
    const std::string text = dump();
    EXPECT_NE(text.find("park " + address_of(&key) + ": 80 wait\n"), std::string::npos) << text;
    EXPECT_NE(text.find("park " + address_of(&key) + ", continued\n"), std::string::npos) << text;
    EXPECT_NE(text.find(": 80 wait\n"), std::string::npos) << text;
    plc_unpark_all(&key, 0);
}

/* A task is shown under its mutex, and no thread with it. */
TEST(DebugWaiters, TasksAreShownAsSuch) {
    static plc_mutex_t mutex;
    plc_async_waiter_t task = PLC_ASYNC_WAITER_INIT;
    const plc_waker_t waker = plc_waker_noop();
    plc_mutex_lock(&mutex);
    ASSERT_EQ(plc_mutex_lock_async(&mutex, &task, &waker), PLC_POLL_PENDING);
    const auto found = waiters_of(&mutex);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].kind, PLC_DEBUG_MUTEX);
    EXPECT_EQ(found[0].thread_id, 0U);
    EXPECT_NE(dump().find("    a task has waited for "), std::string::npos);
    plc_async_cancel(&task);
    plc_mutex_unlock(&mutex);
    EXPECT_TRUE(all_waiters().empty());
}

/* ---- The dump */

TEST(DebugDump, SaysWhoWaitsForWhatByItsName) {
    static plc_mutex_t mutex;
    plc_debug_name(&mutex, "the mutex");
    plc_mutex_lock(&mutex);
    std::atomic<uint64_t> id{0};
    std::thread locker([&] {
        id = plc_os_thread_id();
        plc_mutex_lock(&mutex);
        plc_mutex_unlock(&mutex);
    });
    wait_until_parked(&mutex, 1, PLC_WAITER_MUTEX);
    const std::string text = dump();
    EXPECT_NE(text.find("mutex " + address_of(&mutex) + " \"the mutex\": 1 waits\n    thread " + std::to_string(id) +
                        " has waited for "),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("libplc: process " + std::to_string(getpid()) + ": 1 waits"), std::string::npos) << text;
    plc_mutex_unlock(&mutex);
    locker.join();
    EXPECT_NE(dump().find(": 0 wait"), std::string::npos);
    plc_debug_forget(&mutex);
}

/* The handler that has interrupted the holder of a bucket, in effect. */
TEST(DebugDump, DoesNotWaitForABucketThatItsOwnThreadHolds) {
    static const char key = 0;
    const void *elsewhere = plc_test::key_elsewhere(&key);
    auto unseen = park_thread(&key);
    auto seen = park_thread(elsewhere);
    plc_bucket *bucket = plc_bucket_lock(&key);
    const std::string text = dump();
    plc_bucket_unlock(bucket);
    EXPECT_NE(text.find(": 1 waits; not shown: those in 1 busy buckets"), std::string::npos) << text;
    EXPECT_NE(text.find(address_of(elsewhere) + ": 1 waits\n"), std::string::npos) << text;
    EXPECT_EQ(dump().find("busy"), std::string::npos);
    EXPECT_EQ(all_waiters().size(), 2U);
    plc_unpark_all(&key, 0);
    plc_unpark_all(elsewhere, 0);
}

/* ---- Hooks */

struct Told {
    std::mutex mutex; /* not one of libplc's: the hooks do not disturb themselves */
    std::vector<plc_debug_wait> begins;
    std::vector<plc_debug_wait> ends;

    size_t begun() {
        const std::lock_guard<std::mutex> guard(mutex);
        return begins.size();
    }
};

plc_debug_hooks hooks_for(Told *told) {
    plc_debug_hooks hooks = {};
    hooks.wait_begin = [](void *context, const plc_debug_wait *wait) {
        auto *to = static_cast<Told *>(context);
        const std::lock_guard<std::mutex> guard(to->mutex);
        to->begins.push_back(*wait);
    };
    hooks.wait_end = [](void *context, const plc_debug_wait *wait) {
        auto *to = static_cast<Told *>(context);
        const std::lock_guard<std::mutex> guard(to->mutex);
        to->ends.push_back(*wait);
    };
    hooks.context = told;
    return hooks;
}

/* Runs body in a thread and, once that has begun to wait, `meanwhile`. */
template <typename Body, typename Meanwhile>
void wait_once(Told &told, Body body, Meanwhile meanwhile) {
    const size_t before = told.begun();
    std::thread thread(body);
    while (told.begun() == before)
        std::this_thread::yield();
    meanwhile();
    thread.join();
}

TEST(DebugHooks, AreCalledOnceForEachWaitOfEachKind) {
    static plc_mutex_t mutex;
    static plc_rwlock_t rwlock;
    static plc_condvar_t condvar;
    static plc_once_t once;
    static const char key = 0;
    static Told told;
    static const plc_debug_hooks hooks = hooks_for(&told);
    EXPECT_EQ(plc_debug_set_hooks(&hooks), nullptr);

    plc_mutex_lock(&mutex); /* without contention nobody is told */
    plc_rwlock_write_lock(&rwlock);
    EXPECT_EQ(told.begun(), 0U);

    wait_once(
        told,
        [] {
            plc_mutex_lock(&mutex);
            plc_mutex_unlock(&mutex);
        },
        [] { plc_mutex_unlock(&mutex); });
    wait_once(
        told,
        [] {
            plc_rwlock_read_lock(&rwlock);
            plc_rwlock_read_unlock(&rwlock);
        },
        [] { plc_rwlock_write_unlock(&rwlock); });
    wait_once(
        told,
        [] {
            plc_mutex_lock(&mutex);
            EXPECT_TRUE(plc_condvar_wait_until(&condvar, &mutex, PLC_NO_DEADLINE));
            plc_mutex_unlock(&mutex);
        },
        [] {
            while (!plc_condvar_notify_one(&condvar))
                ;
        });
    static std::atomic<bool> may_end{false};
    std::thread runner([] {
        plc_once_call(
            &once,
            [](void *) {
                while (!may_end)
                    std::this_thread::yield();
                return true;
            },
            nullptr);
    });
    while (plc_once_state(&once) != PLC_ONCE_RUNNING)
        std::this_thread::yield();
    wait_once(
        told,
        [] {
            plc_once_call(
                &once, [](void *) { return true; }, nullptr);
        },
        [] { may_end = true; });
    runner.join();
    const plc_park_ops ops = {};
    EXPECT_EQ(plc_park(&key, &ops, nullptr, 0, plc_test::soon()).status, PLC_PARK_TIMED_OUT);
    EXPECT_EQ(plc_debug_set_hooks(nullptr), &hooks);
    EXPECT_EQ(plc_park(&key, &ops, nullptr, 0, plc_test::soon()).status, PLC_PARK_TIMED_OUT); /* nobody is told */

    const struct {
        const void *object;
        plc_debug_kind kind;
        plc_debug_outcome outcome;
    } expected[] = {{&mutex, PLC_DEBUG_MUTEX, PLC_DEBUG_WOKEN},
                    {&rwlock, PLC_DEBUG_RWLOCK, PLC_DEBUG_WOKEN},
                    {&condvar, PLC_DEBUG_CONDVAR, PLC_DEBUG_WOKEN},
                    {&once, PLC_DEBUG_ONCE, PLC_DEBUG_WOKEN},
                    {&key, PLC_DEBUG_PARK, PLC_DEBUG_TIMED_OUT}};
    ASSERT_EQ(told.begins.size(), std::size(expected));
    ASSERT_EQ(told.ends.size(), std::size(expected));
    for (size_t i = 0; i < std::size(expected); ++i) {
        EXPECT_EQ(told.begins[i].object, expected[i].object) << i;
        EXPECT_EQ(told.begins[i].kind, expected[i].kind) << i;
        EXPECT_EQ(told.begins[i].waited_ns, 0) << i;
        EXPECT_EQ(told.ends[i].object, expected[i].object) << i;
        EXPECT_EQ(told.ends[i].kind, expected[i].kind) << i;
        EXPECT_EQ(told.ends[i].outcome, expected[i].outcome) << i;
        EXPECT_GE(told.ends[i].waited_ns, 0) << i;
    }
}

/* A hook locks a mutex of libplc's that is held: it waits, and is not told of that. */
TEST(DebugHooks, MayLock) {
    static plc_mutex_t waited_for;
    static plc_mutex_t of_the_hooks;
    static int calls;
    static plc_debug_hooks hooks = {};
    hooks.wait_begin = [](void *, const plc_debug_wait *wait) {
        EXPECT_EQ(wait->object, &waited_for);
        plc_mutex_lock(&of_the_hooks);
        calls++;
        plc_mutex_unlock(&of_the_hooks);
    };
    plc_mutex_lock(&waited_for);
    plc_mutex_lock(&of_the_hooks);
    EXPECT_EQ(plc_debug_set_hooks(&hooks), nullptr);
    std::thread locker([] {
        plc_mutex_lock(&waited_for);
        plc_mutex_unlock(&waited_for);
    });
    wait_until_parked(&of_the_hooks, 1, PLC_WAITER_MUTEX);
    EXPECT_EQ(waiters_of(&waited_for).size(), 1U) << "it is queued for both";
    plc_mutex_unlock(&of_the_hooks);
    plc_mutex_unlock(&waited_for);
    locker.join();
    EXPECT_EQ(plc_debug_set_hooks(nullptr), &hooks);
    EXPECT_EQ(calls, 1);
}

/* Thrown out of its sleep: the end is told all the same. */
TEST(DebugHooks, ToldOfAWaitThatIsUnwound) {
    static const char key = 0;
    static Told told;
    static const plc_debug_hooks hooks = hooks_for(&told);
    EXPECT_EQ(plc_debug_set_hooks(&hooks), nullptr);
    plc_park_ops ops = {};
    ops.wait_begin = [](void *) { throw 1; };
    ops.wait_end = [](void *) {};
    ops.flags = PLC_PARK_NO_SPIN;
    EXPECT_THROW(plc_park(&key, &ops, nullptr, 0, plc_test::much_later()), int);
    EXPECT_EQ(plc_debug_set_hooks(nullptr), &hooks);
    ASSERT_EQ(told.begins.size(), 1U);
    ASSERT_EQ(told.ends.size(), 1U);
    EXPECT_EQ(told.ends[0].outcome, PLC_DEBUG_CANCELLED);
}

} // namespace
