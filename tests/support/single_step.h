/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Runs code one instruction at a time, in its own thread, and calls the test before each: by the processor's trap flag. */
#ifndef PLC_TESTS_SUPPORT_SINGLE_STEP_H
#define PLC_TESTS_SUPPORT_SINGLE_STEP_H

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

/* A signal that a handler of the trap sends to its own thread comes when that handler returns: right before the instruction that is next. So a
   test can have a handler run at each instruction of a function, one after the other and in every run the same. libplc
   never blocks SIGTRAP, nor keeps its handlers out of anything. */
namespace plc_test {

#if defined(__x86_64__)
inline constexpr bool can_single_step = true;
#else
inline constexpr bool can_single_step = false; /* other processors do not let a thread do so to itself */
#endif

/* Where the stepping thread is. */
struct Step {
    unsigned long number; /* of instructions, from 1 */
    ucontext_t *context;

    /* Is the next instruction a system call, and which? -1: no. */
    long system_call() const {
#if defined(__x86_64__)
        const auto *at = reinterpret_cast<const unsigned char *>(context->uc_mcontext.gregs[REG_RIP]);
        return at[0] == 0x0f && at[1] == 0x05 ? static_cast<long>(context->uc_mcontext.gregs[REG_RAX]) : -1;
#else
        return -1;
#endif
    }
};

class SingleStep {
  public:
    /* Called before each instruction, in a handler that nothing but faults interrupts. False: no more of this. */
    using Each = bool (*)(const Step &step);

    /* Calls body, and returns how many instructions were stepped over. */
    template <typename Body>
    static unsigned long run(Each each, Body body) {
        struct sigaction action = {};
        action.sa_sigaction = trap;
        action.sa_flags = SA_SIGINFO;
        sigfillset(&action.sa_mask);
        sigaction(SIGTRAP, &action, nullptr);
        state = {each, 0};
        std::atomic_signal_fence(std::memory_order_seq_cst); /* the handler sees it */
        begin();
        body();
        end();
        return state.steps;
    }

    /* For who jumps out of body. */
    static void end() {
        state.each = nullptr;
        std::atomic_signal_fence(std::memory_order_seq_cst);
    }

  private:
    struct State {
        Each each; /* null: do not step */
        unsigned long steps;
    };
    static inline thread_local State state{};

    static void begin() {
#if defined(__x86_64__)
        __asm__ __volatile__("int3" ::: "memory");
#endif
    }

    static void trap(int, siginfo_t *, void *given) {
#if defined(__x86_64__)
        constexpr greg_t kTrapFlag = 0x100;
        const int saved_errno = errno;
        auto *context = static_cast<ucontext_t *>(given);
        if (state.each != nullptr && !state.each({++state.steps, context}))
            state.each = nullptr;
        if (state.each != nullptr)
            context->uc_mcontext.gregs[REG_EFL] |= kTrapFlag;
        else
            context->uc_mcontext.gregs[REG_EFL] &= ~kTrapFlag;
        errno = saved_errno;
#else
        (void)given;
#endif
    }
};

/* A signal for the calling thread: pending until the handler in which this is called returns. */
inline void send_to_self(int number) {
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), number);
}

/* Is the thread asleep in the kernel? Neither allocates nor locks: it may be asked at any instruction. */
inline bool is_in_the_kernel(int thread) {
    char text[256] = {};
    char path[64];
    (void)std::snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return false;
    const ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    for (ssize_t i = length - 1; i > 0; --i) /* its name, in parentheses, may have any characters */
        if (text[i] == ')')
            return text[i + 2] == 'S';
    return false;
}

/* What became of body in a process of its own: its exit status, or 256 and the signal that ended it. A mistake there makes
   it hang, with signals blocked: another process kills it then. */
template <typename Body>
int in_child(Body body, unsigned seconds = 100) {
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child == 0) {
        const int status = body();
        std::fflush(nullptr);
        _exit(status);
    }
    const pid_t watchdog = fork();
    if (watchdog == 0) {
        while (seconds > 0)
            seconds = sleep(seconds);
        kill(child, SIGKILL);
        _exit(0);
    }
    int status = -1;
    while (waitpid(child, &status, 0) == -1 && errno == EINTR)
        continue;
    kill(watchdog, SIGKILL);
    waitpid(watchdog, nullptr, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

} // namespace plc_test

#endif
