/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* For tests that tear a thread out of a lock: a thread that blocks where it is told to, and what becomes of it. */
#ifndef PLC_TESTS_PTHREAD_JUMPS_H
#define PLC_TESTS_PTHREAD_JUMPS_H

#include "dropin.h"

#include <atomic>
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <functional>
#include <ucontext.h>

namespace dropin {

/* Where the thread's handlers jump to; null: they do not. */
inline thread_local sigjmp_buf *volatile landing = nullptr;

inline void install(int signal, void (*handler)(int, siginfo_t *, void *), int flags) {
    struct sigaction action = {};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | flags;
    ASSERT_EQ(sigaction(signal, &action, nullptr), 0);
}

inline void jump_away(int, siginfo_t *, void *) {
    if (landing != nullptr)
        siglongjmp(*landing, 1);
}

/* Is the thread asleep in the kernel? */
inline bool is_asleep(int thread) {
    char path[64];
    char state = 'R';
    (void)std::snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
    if (std::FILE *file = std::fopen(path, "r")) {
        if (std::fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
            state = 'R';
        std::fclose(file);
    }
    return state == 'S';
}

/* A thread that calls `blocked` again and again. Nothing else in it may sleep. */
class Victim {
  public:
    using Blocked = bool (*)(void *); /* returns whether it may be called again */

    Victim(Blocked blocked, void *argument) : blocked_(blocked), argument_(argument) {
        EXPECT_EQ(pthread_create(&thread_, nullptr, run, this), 0);
    }
    Victim(const Victim &) = delete;
    Victim &operator=(const Victim &) = delete;
    ~Victim() {
        join();
    }
    void await_asleep() const {
        while (tid_ == 0 || !is_asleep(tid_))
            std::this_thread::yield();
    }
    /* Interrupts it in its sleep, and waits until it has jumped away. */
    void tear_out(int signal = SIGUSR1) {
        const int before = jumps_;
        await_asleep();
        EXPECT_EQ(pthread_kill(thread_, signal), 0);
        while (jumps_ == before)
            std::this_thread::yield();
    }
    void *join() {
        void *result = nullptr;
        if (!joined_) {
            EXPECT_EQ(pthread_join(thread_, &result), 0);
        }
        joined_ = true;
        return result;
    }
    pthread_t thread() const {
        return thread_;
    }
    int jumps() const {
        return jumps_;
    }
    std::atomic<bool> stay_away{false}; /* once torn out, it ends */

  private:
    /* No object here needs a destructor: an unwinding that glibc begins must find nothing to do. */
    static void *run(void *given) {
        auto *self = static_cast<Victim *>(given);
        sigjmp_buf here;
        volatile bool go_on = true;
        if (sigsetjmp(here, 1) != 0) {
            go_on = !self->stay_away;
            ++self->jumps_;
        }
        landing = &here;
        self->tid_ = tid();
        while (go_on)
            go_on = self->blocked_(self->argument_);
        landing = nullptr;
        return nullptr;
    }

    Blocked blocked_;
    void *argument_;
    std::atomic<int> tid_{0};
    std::atomic<int> jumps_{0};
    pthread_t thread_{};
    bool joined_ = false;
};

} // namespace dropin

#endif
