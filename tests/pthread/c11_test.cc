/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* C11's mtx_*, cnd_* and call_once: kinds, times, results, waiting, and that they are pthread's objects by another name. */
#include "dropin.h"

#include <atomic>
#include <threads.h>
#include <vector>

using namespace dropin;

DROPIN_EXPECTED_PROVIDER_TEST();

namespace {

pthread_mutex_t *as_mutex(mtx_t *mtx) {
    return reinterpret_cast<pthread_mutex_t *>(mtx);
}

/* All of them come from where pthread_mutex_lock comes from. */
TEST(C11, IsOneSet) {
    for (const char *name :
         {"mtx_init", "mtx_lock", "mtx_timedlock", "mtx_trylock", "mtx_unlock", "mtx_destroy", "cnd_init", "cnd_signal",
          "cnd_broadcast", "cnd_wait", "cnd_timedwait", "cnd_destroy", "call_once"})
        EXPECT_EQ(is_libplc(name), is_libplc("pthread_mutex_lock")) << name << " comes from " << provider_of(name);
}

/* The kind as glibc writes it: other code may look. */
TEST(C11, MutexesSayOfWhatKindTheyAre) {
    mtx_t mtx;
    for (int type : {int{mtx_plain}, int{mtx_timed}}) {
        ASSERT_EQ(mtx_init(&mtx, type), thrd_success);
        EXPECT_EQ(as_mutex(&mtx)->__data.__kind & ~0x300, 0);
        mtx_destroy(&mtx);
    }
    for (int type : {mtx_plain | mtx_recursive, mtx_timed | mtx_recursive}) {
        ASSERT_EQ(mtx_init(&mtx, type), thrd_success);
        EXPECT_EQ(as_mutex(&mtx)->__data.__kind & ~0x300, PTHREAD_MUTEX_RECURSIVE_NP);
        mtx_destroy(&mtx);
    }
}

TEST(C11, MutexesAnswer) {
    mtx_t mtx;
    const timespec past = at(1, 0);
    const timespec bad = at(1, -1);
    ASSERT_EQ(mtx_init(&mtx, mtx_timed), thrd_success);
    EXPECT_EQ(mtx_lock(&mtx), thrd_success);
    EXPECT_EQ(as_mutex(&mtx)->__data.__owner, tid());
    EXPECT_EQ(elsewhere([&] { return mtx_trylock(&mtx); }), thrd_busy);
    EXPECT_EQ(elsewhere([&] { return mtx_timedlock(&mtx, &past); }), thrd_timedout);
    EXPECT_EQ(elsewhere([&] { return mtx_timedlock(&mtx, &bad); }), thrd_error);
    EXPECT_EQ(mtx_unlock(&mtx), thrd_success);
    EXPECT_EQ(mtx_timedlock(&mtx, &past), thrd_success);
    EXPECT_EQ(mtx_unlock(&mtx), thrd_success);
    EXPECT_EQ(mtx_trylock(&mtx), thrd_success);
    EXPECT_EQ(mtx_unlock(&mtx), thrd_success);
    mtx_destroy(&mtx);
}

TEST(C11, RecursiveMutexesRecurse) {
    mtx_t mtx;
    ASSERT_EQ(mtx_init(&mtx, mtx_plain | mtx_recursive), thrd_success);
    EXPECT_EQ(mtx_lock(&mtx), thrd_success);
    EXPECT_EQ(mtx_trylock(&mtx), thrd_success);
    EXPECT_EQ(mtx_lock(&mtx), thrd_success);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(elsewhere([&] { return mtx_trylock(&mtx); }), thrd_busy);
        EXPECT_EQ(mtx_unlock(&mtx), thrd_success);
    }
    EXPECT_EQ(elsewhere([&] {
                  const int code = mtx_trylock(&mtx);
                  return code == thrd_success ? mtx_unlock(&mtx) : code;
              }),
              thrd_success);
    EXPECT_EQ(mtx_unlock(&mtx), thrd_error); /* not held */
    mtx_destroy(&mtx);
}

class EveryMutex : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(C11, EveryMutex, testing::Values(int{mtx_plain}, int{mtx_timed}, mtx_plain | mtx_recursive));

/* Half of the players speak C11, the other half pthread, about the same objects. */
TEST_P(EveryMutex, ThreadsTakeTurns) {
    constexpr int kPlayers = 4;
    constexpr int kRounds = 1000;
    mtx_t mtx;
    cnd_t cnd;
    int turn = 0;
    std::atomic<int> bad{0};
    ASSERT_EQ(mtx_init(&mtx, GetParam()), thrd_success);
    ASSERT_EQ(cnd_init(&cnd), thrd_success);
    auto *cond = reinterpret_cast<pthread_cond_t *>(&cnd);
    std::vector<std::thread> players;
    for (int player = 0; player < kPlayers; ++player)
        players.emplace_back([&, player] {
            for (int round = 0; round < kRounds; ++round) {
                if (player % 2 == 0) {
                    const timespec late = never();
                    bad += mtx_lock(&mtx) != thrd_success;
                    while (turn != player)
                        bad +=
                            (round % 2 == 0 ? cnd_wait(&cnd, &mtx) : cnd_timedwait(&cnd, &mtx, &late)) != thrd_success;
                    turn = (turn + 1) % kPlayers;
                    bad += cnd_broadcast(&cnd) != thrd_success;
                    bad += mtx_unlock(&mtx) != thrd_success;
                } else {
                    bad += pthread_mutex_lock(as_mutex(&mtx)) != 0;
                    while (turn != player)
                        bad += pthread_cond_wait(cond, as_mutex(&mtx)) != 0;
                    turn = (turn + 1) % kPlayers;
                    bad += pthread_cond_broadcast(cond) != 0;
                    bad += pthread_mutex_unlock(as_mutex(&mtx)) != 0;
                }
            }
        });
    for (std::thread &player : players)
        player.join();
    EXPECT_EQ(bad, 0);
    cnd_destroy(&cnd);
    mtx_destroy(&mtx);
}

TEST_P(EveryMutex, WaitsTimeOut) {
    mtx_t mtx;
    cnd_t cnd;
    ASSERT_EQ(mtx_init(&mtx, GetParam()), thrd_success);
    ASSERT_EQ(cnd_init(&cnd), thrd_success);
    ASSERT_EQ(mtx_lock(&mtx), thrd_success);
    const timespec until = after_ms(CLOCK_REALTIME, 5);
    EXPECT_EQ(cnd_timedwait(&cnd, &mtx, &until), thrd_timedout);
    EXPECT_FALSE(is_before(now(CLOCK_REALTIME), until));
    const timespec bad = at(1, 1000000000);
    EXPECT_EQ(cnd_timedwait(&cnd, &mtx, &bad), thrd_error);
    EXPECT_EQ(elsewhere([&] { return mtx_trylock(&mtx); }), thrd_busy);
    EXPECT_EQ(cnd_signal(&cnd), thrd_success);
    EXPECT_EQ(mtx_unlock(&mtx), thrd_success);
    cnd_destroy(&cnd);
    mtx_destroy(&mtx);
}

/* Contended, so that glibc's code and ours would meet in one object if the set were not whole. */
TEST_P(EveryMutex, ExcludesThreads) {
    constexpr int kThreads = 4;
    constexpr int kRounds = 5000;
    mtx_t mtx;
    long count = 0;
    ASSERT_EQ(mtx_init(&mtx, GetParam()), thrd_success);
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i)
        threads.emplace_back([&, i] {
            const timespec late = never();
            for (int round = 0; round < kRounds; ++round) {
                if (i == 0)
                    pthread_mutex_lock(as_mutex(&mtx));
                else if (i == 1)
                    mtx_timedlock(&mtx, &late);
                else
                    mtx_lock(&mtx);
                ++count;
                if (round % 64 == 0)
                    std::this_thread::yield();
                mtx_unlock(&mtx);
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(count, long{kThreads} * kRounds);
    mtx_destroy(&mtx);
}

std::atomic<int> runs{0};

TEST(C11, CallsOnce) {
    for (int round = 0; round < 100; ++round) {
        once_flag flag = ONCE_FLAG_INIT;
        runs = 0;
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&] {
                call_once(&flag, [] {
                    std::this_thread::yield();
                    ++runs;
                });
                EXPECT_EQ(runs, 1);
            });
        for (std::thread &thread : threads)
            thread.join();
    }
}

} // namespace
