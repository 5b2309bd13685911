/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the drop-in's tests share: whose locks run here, times, and kinds of mutex. */
#ifndef PLC_TESTS_PTHREAD_DROPIN_H
#define PLC_TESTS_PTHREAD_DROPIN_H

#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <string>
#include <sys/syscall.h>
#include <thread>
#include <time.h>
#include <unistd.h>

/* Each of these programs runs three times: linked to libplc_pthread.so, with it preloaded, and on glibc alone. The last
   run shows that what the tests demand is what glibc does. Suites whose name begins with Libplc say more, and are left
   out there. */
namespace dropin {

/* The file that serves this name of pthread's. */
inline std::string provider_of(const char *name) {
    Dl_info info;
    void *function = dlsym(RTLD_DEFAULT, name);
    return function != nullptr && dladdr(function, &info) != 0 ? info.dli_fname : "nobody";
}

inline bool is_libplc(const char *name) {
    return provider_of(name).find("libplc_pthread") != std::string::npos;
}

inline int tid() {
    return static_cast<int>(syscall(SYS_gettid));
}

inline timespec at(time_t seconds, long ns) {
    timespec time{};
    time.tv_sec = seconds;
    time.tv_nsec = ns;
    return time;
}

inline timespec now(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return time;
}

inline timespec after_ms(clockid_t clock, long ms) {
    timespec time = now(clock);
    time.tv_nsec += ms % 1000 * 1000000;
    time.tv_sec += ms / 1000 + time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    return time;
}

inline bool is_before(const timespec &a, const timespec &b) {
    return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

/* A time that never comes. */
inline timespec never() {
    return at(sizeof(time_t) == 8 ? static_cast<time_t>(INT64_MAX) : static_cast<time_t>(INT32_MAX), 999999999);
}

/* Runs in a thread of its own and waits for it: for "another thread". */
template <typename Body>
auto elsewhere(Body body) {
    decltype(body()) result{};
    std::thread([&] { result = body(); }).join();
    return result;
}

/* Does somebody wait for the mutex, which is held? Both implementations mark it: in the word, and libplc beside it while nobody else
   has waited yet (sync/mutex_quiet.h). */
inline bool is_waited_for(const pthread_mutex_t &mutex) {
    return __atomic_load_n(&mutex.__data.__lock, __ATOMIC_RELAXED) != 1 ||
           __atomic_load_n(&mutex.__data.__spins, __ATOMIC_RELAXED) == 1;
}

/* A mutex attribute that is destroyed in time. */
struct MutexAttributes {
    pthread_mutexattr_t value;
    explicit MutexAttributes(int type = PTHREAD_MUTEX_DEFAULT) {
        pthread_mutexattr_init(&value);
        if (type != PTHREAD_MUTEX_DEFAULT)
            pthread_mutexattr_settype(&value, type);
    }
    MutexAttributes(const MutexAttributes &) = delete;
    MutexAttributes &operator=(const MutexAttributes &) = delete;
    ~MutexAttributes() {
        pthread_mutexattr_destroy(&value);
    }
};

} // namespace dropin

/* The first test of every program. */
#define DROPIN_EXPECTED_PROVIDER_TEST()                                                                                \
    TEST(Provider, IsTheExpectedOne) {                                                                                 \
        const char *expected = std::getenv("PLC_TEST_PROVIDER");                                                       \
        ASSERT_NE(expected, nullptr) << "set PLC_TEST_PROVIDER to libplc or glibc";                                    \
        const bool libplc = std::string(expected) == "libplc";                                                         \
        for (const char *name : {"pthread_mutex_lock", "pthread_mutex_trylock", "pthread_cond_wait",                   \
                                 "pthread_cond_clockwait", "pthread_rwlock_rdlock", "pthread_once"})                   \
            EXPECT_EQ(dropin::is_libplc(name), libplc) << name << " comes from " << dropin::provider_of(name);         \
    }                                                                                                                  \
    static_assert(true, "takes the semicolon")

#endif
