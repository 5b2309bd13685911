/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* pthread_rwlock_*: codes, times, recursion of readers, and that neither side starves. */
#include "dropin.h"

#include <atomic>
#include <memory>
#include <vector>

using namespace dropin;

DROPIN_EXPECTED_PROVIDER_TEST();

namespace {

constexpr int kKinds[] = {PTHREAD_RWLOCK_PREFER_READER_NP, PTHREAD_RWLOCK_PREFER_WRITER_NP,
                          PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP};

struct Rwlock {
    pthread_rwlock_t value;
    explicit Rwlock(int kind) {
        pthread_rwlockattr_t attributes;
        pthread_rwlockattr_init(&attributes);
        pthread_rwlockattr_setkind_np(&attributes, kind);
        EXPECT_EQ(pthread_rwlock_init(&value, &attributes), 0);
        pthread_rwlockattr_destroy(&attributes);
    }
    Rwlock(const Rwlock &) = delete;
    Rwlock &operator=(const Rwlock &) = delete;
    ~Rwlock() {
        EXPECT_EQ(pthread_rwlock_destroy(&value), 0);
    }
};

/* Reads and unlocks, or tries to, in another thread. */
int try_read_elsewhere(pthread_rwlock_t *lock) {
    return elsewhere([&] {
        const int code = pthread_rwlock_tryrdlock(lock);
        if (code == 0)
            pthread_rwlock_unlock(lock);
        return code;
    });
}

int try_write_elsewhere(pthread_rwlock_t *lock) {
    return elsewhere([&] {
        const int code = pthread_rwlock_trywrlock(lock);
        if (code == 0)
            pthread_rwlock_unlock(lock);
        return code;
    });
}

/* Waits in there, or is about to. */
class WaitingWriter {
  public:
    explicit WaitingWriter(pthread_rwlock_t *lock)
        : thread_([this, lock] {
              is_coming_ = true;
              EXPECT_EQ(pthread_rwlock_wrlock(lock), 0);
              has_written_ = true;
              EXPECT_EQ(pthread_rwlock_unlock(lock), 0);
          }) {
        while (!is_coming_)
            std::this_thread::yield();
    }
    bool has_written() const {
        return has_written_;
    }
    void join() {
        thread_.join();
    }

  private:
    std::atomic<bool> is_coming_{false};
    std::atomic<bool> has_written_{false};
    std::thread thread_;
};

class EveryKind : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Rwlock, EveryKind, testing::ValuesIn(kKinds));

TEST_P(EveryKind, ReadersShareAndWritersDoNot) {
    Rwlock lock(GetParam());
    EXPECT_EQ(pthread_rwlock_rdlock(&lock.value), 0);
    EXPECT_EQ(try_read_elsewhere(&lock.value), 0);
    EXPECT_EQ(try_write_elsewhere(&lock.value), EBUSY);
    EXPECT_EQ(pthread_rwlock_trywrlock(&lock.value), EBUSY);
    EXPECT_EQ(pthread_rwlock_unlock(&lock.value), 0);
    EXPECT_EQ(pthread_rwlock_wrlock(&lock.value), 0);
    EXPECT_EQ(try_read_elsewhere(&lock.value), EBUSY);
    EXPECT_EQ(try_write_elsewhere(&lock.value), EBUSY);
    EXPECT_EQ(pthread_rwlock_unlock(&lock.value), 0);
    EXPECT_EQ(pthread_rwlock_trywrlock(&lock.value), 0);
    EXPECT_EQ(pthread_rwlock_unlock(&lock.value), 0);
    EXPECT_EQ(pthread_rwlock_tryrdlock(&lock.value), 0);
    EXPECT_EQ(pthread_rwlock_unlock(&lock.value), 0);
}

TEST_P(EveryKind, TheWriterIsToldOfItsOwnDeadlock) {
    Rwlock lock(GetParam());
    const timespec until = never();
    ASSERT_EQ(pthread_rwlock_wrlock(&lock.value), 0);
    EXPECT_EQ(lock.value.__data.__cur_writer, tid());
    EXPECT_EQ(pthread_rwlock_wrlock(&lock.value), EDEADLK);
    EXPECT_EQ(pthread_rwlock_rdlock(&lock.value), EDEADLK);
    EXPECT_EQ(pthread_rwlock_timedwrlock(&lock.value, &until), EDEADLK);
    EXPECT_EQ(pthread_rwlock_timedrdlock(&lock.value, &until), EDEADLK);
    EXPECT_EQ(pthread_rwlock_clockwrlock(&lock.value, CLOCK_MONOTONIC, &until), EDEADLK);
    EXPECT_EQ(pthread_rwlock_clockrdlock(&lock.value, CLOCK_MONOTONIC, &until), EDEADLK);
    EXPECT_EQ(pthread_rwlock_trywrlock(&lock.value), EBUSY);
    EXPECT_EQ(pthread_rwlock_tryrdlock(&lock.value), EBUSY);
    EXPECT_EQ(pthread_rwlock_unlock(&lock.value), 0);
    EXPECT_EQ(lock.value.__data.__cur_writer, 0);
}

TEST_P(EveryKind, TimesOutNotBeforeTheTime) {
    Rwlock lock(GetParam());
    ASSERT_EQ(pthread_rwlock_wrlock(&lock.value), 0);
    for (clockid_t clock : {CLOCK_REALTIME, CLOCK_MONOTONIC}) {
        timespec until = after_ms(clock, 5);
        EXPECT_EQ(elsewhere([&] { return pthread_rwlock_clockrdlock(&lock.value, clock, &until); }), ETIMEDOUT);
        EXPECT_FALSE(is_before(now(clock), until));
        until = after_ms(clock, 5);
        EXPECT_EQ(elsewhere([&] { return pthread_rwlock_clockwrlock(&lock.value, clock, &until); }), ETIMEDOUT);
        EXPECT_FALSE(is_before(now(clock), until));
    }
    timespec until = after_ms(CLOCK_REALTIME, 150); /* longer than one patience of a reader */
    EXPECT_EQ(elsewhere([&] { return pthread_rwlock_timedrdlock(&lock.value, &until); }), ETIMEDOUT);
    EXPECT_FALSE(is_before(now(CLOCK_REALTIME), until));
    until = after_ms(CLOCK_REALTIME, 5);
    EXPECT_EQ(elsewhere([&] { return pthread_rwlock_timedwrlock(&lock.value, &until); }), ETIMEDOUT);
    EXPECT_FALSE(is_before(now(CLOCK_REALTIME), until));
    for (time_t seconds : {static_cast<time_t>(0), static_cast<time_t>(-1), static_cast<time_t>(INT32_MIN)}) {
        const timespec past = at(seconds, 0);
        EXPECT_EQ(elsewhere([&] { return pthread_rwlock_timedrdlock(&lock.value, &past); }), ETIMEDOUT);
        EXPECT_EQ(elsewhere([&] { return pthread_rwlock_timedwrlock(&lock.value, &past); }), ETIMEDOUT);
    }
    EXPECT_EQ(pthread_rwlock_unlock(&lock.value), 0);
}

TEST_P(EveryKind, BadTimesAndClocksAreInvalid) {
    Rwlock lock(GetParam());
    const timespec until = never();
    for (long ns : {-1L, 1000000000L, LONG_MAX, LONG_MIN}) {
        const timespec bad = at(1, ns);
        EXPECT_EQ(pthread_rwlock_timedrdlock(&lock.value, &bad), EINVAL);
        EXPECT_EQ(pthread_rwlock_timedwrlock(&lock.value, &bad), EINVAL);
        EXPECT_EQ(pthread_rwlock_clockrdlock(&lock.value, CLOCK_MONOTONIC, &bad), EINVAL);
        EXPECT_EQ(pthread_rwlock_clockwrlock(&lock.value, CLOCK_MONOTONIC, &bad), EINVAL);
    }
    for (clockid_t clock : {CLOCK_PROCESS_CPUTIME_ID, CLOCK_BOOTTIME, clockid_t{-1}}) {
        EXPECT_EQ(pthread_rwlock_clockrdlock(&lock.value, clock, &until), EINVAL);
        EXPECT_EQ(pthread_rwlock_clockwrlock(&lock.value, clock, &until), EINVAL);
    }
    EXPECT_EQ(pthread_rwlock_trywrlock(&lock.value), 0);
    EXPECT_EQ(pthread_rwlock_unlock(&lock.value), 0);
}

TEST_P(EveryKind, AbsurdlyLateTimesNeverCome) {
    Rwlock lock(GetParam());
    const timespec until = never();
    for (int round = 0; round < 20; ++round) {
        std::atomic<int> started{0};
        ASSERT_EQ(pthread_rwlock_wrlock(&lock.value), 0);
        std::vector<std::thread> threads;
        for (int i = 0; i < 2; ++i)
            threads.emplace_back([&, i] {
                ++started;
                EXPECT_EQ(i == 0 ? pthread_rwlock_timedrdlock(&lock.value, &until)
                                 : pthread_rwlock_clockwrlock(&lock.value, CLOCK_MONOTONIC, &until),
                          0);
                EXPECT_EQ(pthread_rwlock_unlock(&lock.value), 0);
            });
        while (started != 2)
            std::this_thread::yield();
        ASSERT_EQ(pthread_rwlock_unlock(&lock.value), 0);
        for (std::thread &thread : threads)
            thread.join();
    }
}

TEST_P(EveryKind, ExcludesUnderContention) {
    constexpr int kRounds = 15000;
    Rwlock lock(GetParam());
    long a = 0;
    long b = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&, i] {
            for (int round = 0; round < kRounds; ++round) {
                if ((round + i) % 4 == 0) {
                    ASSERT_EQ(pthread_rwlock_wrlock(&lock.value), 0);
                    ++a;
                    ++b;
                } else {
                    ASSERT_EQ(pthread_rwlock_rdlock(&lock.value), 0);
                    EXPECT_EQ(a, b);
                }
                ASSERT_EQ(pthread_rwlock_unlock(&lock.value), 0);
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(a, kRounds);
    EXPECT_EQ(b, kRounds);
}

TEST_P(EveryKind, LeavesErrnoAlone) {
    Rwlock lock(GetParam());
    errno = 4711;
    pthread_rwlock_wrlock(&lock.value);
    EXPECT_EQ(errno, 4711);
    const timespec soon = after_ms(CLOCK_MONOTONIC, 2);
    EXPECT_EQ(elsewhere([&] {
                  errno = 4711;
                  pthread_rwlock_clockrdlock(&lock.value, CLOCK_MONOTONIC, &soon);
                  pthread_rwlock_clockwrlock(&lock.value, CLOCK_MONOTONIC, &soon);
                  pthread_rwlock_tryrdlock(&lock.value);
                  return errno;
              }),
              4711);
    pthread_rwlock_unlock(&lock.value);
    EXPECT_EQ(errno, 4711);
}

TEST_P(EveryKind, KeepsItsKindWhereGlibcDoes) {
    Rwlock lock(GetParam());
    EXPECT_EQ(lock.value.__data.__flags, static_cast<unsigned>(GetParam()));
    EXPECT_EQ(pthread_rwlock_rdlock(&lock.value), 0);
    EXPECT_EQ(pthread_rwlock_unlock(&lock.value), 0);
    EXPECT_EQ(lock.value.__data.__flags, static_cast<unsigned>(GetParam()));
    EXPECT_EQ(lock.value.__data.__shared, 0u);
}

TEST(StaticInitialiser, GivesEachKind) {
    static pthread_rwlock_t normal = PTHREAD_RWLOCK_INITIALIZER;
    static pthread_rwlock_t nonrecursive = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
    std::unique_ptr<void, void (*)(void *)> memory(std::calloc(1, sizeof(pthread_rwlock_t)), std::free);
    for (pthread_rwlock_t *lock : {&normal, &nonrecursive, static_cast<pthread_rwlock_t *>(memory.get())}) {
        EXPECT_EQ(pthread_rwlock_rdlock(lock), 0);
        EXPECT_EQ(pthread_rwlock_trywrlock(lock), EBUSY);
        EXPECT_EQ(pthread_rwlock_unlock(lock), 0);
        EXPECT_EQ(pthread_rwlock_wrlock(lock), 0);
        EXPECT_EQ(pthread_rwlock_unlock(lock), 0);
        EXPECT_EQ(pthread_rwlock_destroy(lock), 0);
    }
}

/* The blocked writer must not stop a reader that is inside already, over and over, by each way to read. */
TEST(Recursion, AReaderMayReadAgainWhileAWriterWaits) {
    for (int kind : {PTHREAD_RWLOCK_PREFER_READER_NP, PTHREAD_RWLOCK_PREFER_WRITER_NP}) {
        Rwlock lock(kind);
        const timespec until = never();
        for (int round = 0; round < 200; ++round) {
            ASSERT_EQ(pthread_rwlock_rdlock(&lock.value), 0);
            WaitingWriter writer(&lock.value);
            for (int level = 0; level < 50; ++level) {
                EXPECT_EQ(pthread_rwlock_rdlock(&lock.value), 0);
                EXPECT_EQ(pthread_rwlock_timedrdlock(&lock.value, &until), 0);
                EXPECT_EQ(pthread_rwlock_tryrdlock(&lock.value), 0);
                EXPECT_FALSE(writer.has_written());
            }
            for (int level = 0; level < 3 * 50 + 1; ++level)
                EXPECT_EQ(pthread_rwlock_unlock(&lock.value), 0);
            writer.join();
            EXPECT_TRUE(writer.has_written());
        }
    }
}

/* Two readers, each with one lock and wanting the other's, with a writer waiting for each: glibc lets them through. */
TEST(Recursion, ReadersMayCrossWhileWritersWait) {
    for (int round = 0; round < 100; ++round) {
        Rwlock first(PTHREAD_RWLOCK_PREFER_READER_NP);
        Rwlock second(PTHREAD_RWLOCK_PREFER_READER_NP);
        std::atomic<int> inside{0};
        std::atomic<bool> writers_wait{false};
        auto cross = [&](pthread_rwlock_t *held, pthread_rwlock_t *wanted) {
            EXPECT_EQ(pthread_rwlock_rdlock(held), 0);
            ++inside;
            while (!writers_wait)
                std::this_thread::yield();
            EXPECT_EQ(pthread_rwlock_rdlock(wanted), 0);
            EXPECT_EQ(pthread_rwlock_unlock(wanted), 0);
            EXPECT_EQ(pthread_rwlock_unlock(held), 0);
        };
        std::thread a([&] { cross(&first.value, &second.value); });
        std::thread b([&] { cross(&second.value, &first.value); });
        while (inside != 2)
            std::this_thread::yield();
        WaitingWriter writer_of_first(&first.value);
        WaitingWriter writer_of_second(&second.value);
        writers_wait = true;
        a.join();
        b.join();
        writer_of_first.join();
        writer_of_second.join();
    }
}

/* A reader that waits for another thread to read: with a writer between them, glibc's default kind lets the other in. */
TEST(Recursion, AReaderMayWaitForANewReader) {
    Rwlock lock(PTHREAD_RWLOCK_PREFER_READER_NP);
    ASSERT_EQ(pthread_rwlock_rdlock(&lock.value), 0);
    WaitingWriter writer(&lock.value);
    for (int way = 0; way < 3; ++way) {
        EXPECT_EQ(elsewhere([&] {
                      const timespec until = never();
                      int code = EBUSY;
                      if (way == 0)
                          code = pthread_rwlock_rdlock(&lock.value);
                      else if (way == 1)
                          code = pthread_rwlock_clockrdlock(&lock.value, CLOCK_MONOTONIC, &until);
                      else
                          while (code == EBUSY)
                              code = pthread_rwlock_tryrdlock(&lock.value);
                      pthread_rwlock_unlock(&lock.value);
                      return code;
                  }),
                  0);
    }
    EXPECT_FALSE(writer.has_written());
    EXPECT_EQ(pthread_rwlock_unlock(&lock.value), 0);
    writer.join();
}

/* On glibc the default kind's writer starves here for as long as the readers come; so only libplc runs this one. */
TEST(Libplc, AWriterGetsInBetweenManyReaders) {
    constexpr int kReaders = 8;
    constexpr int kWrites = 200;
    for (int kind : kKinds) {
        Rwlock lock(kind);
        std::atomic<bool> is_over{false};
        std::atomic<int> started{0};
        long value = 0;
        std::vector<std::thread> readers;
        for (int i = 0; i < kReaders; ++i)
            readers.emplace_back([&] {
                ++started;
                while (!is_over) {
                    ASSERT_EQ(pthread_rwlock_rdlock(&lock.value), 0);
                    EXPECT_GE(value, 0);
                    ASSERT_EQ(pthread_rwlock_unlock(&lock.value), 0);
                }
            });
        while (started != kReaders)
            std::this_thread::yield();
        for (int i = 0; i < kWrites; ++i) {
            ASSERT_EQ(pthread_rwlock_wrlock(&lock.value), 0);
            ++value;
            ASSERT_EQ(pthread_rwlock_unlock(&lock.value), 0);
        }
        is_over = true;
        for (std::thread &reader : readers)
            reader.join();
        EXPECT_EQ(value, kWrites);
    }
}

/* Whatever the kind, if he has no patience for more. */
TEST(Libplc, ANewReaderWaitsBehindAWriter) {
    for (int kind : kKinds) {
        Rwlock lock(kind);
        ASSERT_EQ(pthread_rwlock_rdlock(&lock.value), 0);
        WaitingWriter writer(&lock.value); /* he announces himself soon */
        int code = 0;
        for (int i = 0; i < 100000 && code == 0; ++i)
            code = elsewhere([&, soon = after_ms(CLOCK_REALTIME, 20)] {
                const int refused = pthread_rwlock_timedrdlock(&lock.value, &soon);
                return refused != 0 ? refused : pthread_rwlock_unlock(&lock.value);
            });
        EXPECT_EQ(code, ETIMEDOUT);
        EXPECT_EQ(pthread_rwlock_unlock(&lock.value), 0);
        writer.join();
    }
}

TEST(Libplc, TheNonrecursiveKindKeepsNewReadersBehindAWriter) {
    Rwlock lock(PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    ASSERT_EQ(pthread_rwlock_rdlock(&lock.value), 0);
    WaitingWriter writer(&lock.value);
    while (try_read_elsewhere(&lock.value) == 0) /* until the writer has announced itself */
        std::this_thread::yield();
    EXPECT_EQ(try_read_elsewhere(&lock.value), EBUSY);
    const timespec until = after_ms(CLOCK_MONOTONIC, 250); /* beyond the patience that other kinds have */
    EXPECT_EQ(elsewhere([&] { return pthread_rwlock_clockrdlock(&lock.value, CLOCK_MONOTONIC, &until); }), ETIMEDOUT);
    EXPECT_FALSE(writer.has_written());
    EXPECT_EQ(pthread_rwlock_unlock(&lock.value), 0);
    writer.join();
    EXPECT_EQ(try_read_elsewhere(&lock.value), 0);
}

TEST(Libplc, UnlockOfAFreeOneIsRefused) {
    Rwlock lock(PTHREAD_RWLOCK_PREFER_READER_NP);
    EXPECT_EQ(pthread_rwlock_unlock(&lock.value), EPERM);
    EXPECT_EQ(pthread_rwlock_trywrlock(&lock.value), 0);
    EXPECT_EQ(pthread_rwlock_unlock(&lock.value), 0);
}

} // namespace
