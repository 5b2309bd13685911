/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The watchdog: patience is counted in the ticks that it had itself, so that a stopped machine is not a hang. */
#include "watchdog.h"

#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <pthread.h>
#include <unistd.h>

namespace torture {

namespace {

constexpr long tick_ns = 100'000'000;
constexpr double ticks_per_second = 1e9 / tick_ns;

std::atomic<uint64_t> now_ticks{0};
uint64_t patience_ticks;
Slot slots[max_threads];
bool is_child;
bool watch_first;

struct Round {
    const char *program = "";
    const char *configuration = "";
    uint64_t seed = 0;
    size_t operations = 0;
} round_now;

/* Several lines by one write each, without stdio's lock, which a thread may hold that will never run again. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...) {
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    const size_t size = length < 0 ? 0 : static_cast<size_t>(length);
    if (write(STDERR_FILENO, line, size < sizeof line ? size : sizeof line - 1) < 0)
        std::abort();
}

} // namespace

void Slot::at(const char *step, const void *object) {
    object_.store(object, std::memory_order_relaxed);
    since_.store(now_ticks.load(std::memory_order_relaxed), std::memory_order_relaxed);
    step_.store(step, std::memory_order_relaxed);
}

void Slot::reset() {
    operations_.store(0, std::memory_order_relaxed);
}

void Slot::begin(int thread_id) {
    thread_id_.store(thread_id, std::memory_order_relaxed);
    at("begins");
}

void Slot::end() {
    step_.store(nullptr, std::memory_order_relaxed);
    thread_id_.store(0, std::memory_order_relaxed);
}

Slot &slot(size_t thread) {
    return slots[thread];
}

/* What the watchdog sees of the slots. */
struct Watchdog {
    static uint64_t age(const Slot &slot) {
        const uint64_t since = slot.since_.load(std::memory_order_relaxed);
        const uint64_t now = now_ticks.load(std::memory_order_relaxed);
        return now > since ? now - since : 0;
    }
    static void report() {
        for (const Slot &one : slots) {
            const char *step = one.step_.load(std::memory_order_relaxed);
            if (!step)
                continue;
            say("  thread %zu (tid %d): operation %llu: %s %p, for %.1f s\n", static_cast<size_t>(&one - slots),
                one.thread_id(), static_cast<unsigned long long>(one.operations()), step,
                one.object_.load(std::memory_order_relaxed), static_cast<double>(age(one)) / ticks_per_second);
        }
    }
    static void look() {
        for (const Slot &one : slots) {
            if (one.step_.load(std::memory_order_relaxed) && age(one) > patience_ticks)
                fail("no progress: thread %zu is stuck", static_cast<size_t>(&one - slots));
        }
    }
};

void describe_round(const char *program, const Configuration &configuration, uint64_t seed, size_t operations) {
    round_now = {program, configuration.name, seed, operations};
}

void this_is_a_child() {
    is_child = true;
}

void fail(const char *format, ...) {
    static std::atomic<bool> failing{false};
    char message[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    /* The first failure is the one to look at; others stay where they are, for the core. */
    while (failing.exchange(true)) {
        const timespec pause = {1, 0};
        nanosleep(&pause, nullptr);
    }
    say("\nTORTURE FAILED%s: %s\n", is_child ? " in a forked child" : "", message);
    std::abort(); /* on_abort says the rest */
}

namespace {

void *watch(void *) {
    enter_watch(watch_first);
    for (;;) {
        const timespec tick = {0, tick_ns};
        nanosleep(&tick, nullptr);
        now_ticks.fetch_add(1, std::memory_order_relaxed);
        Watchdog::look();
    }
}

/* Our own abort, the library's or a sanitizer's. */
void on_abort(int) {
    if (!is_child)
        Watchdog::report();
    say("to repeat: %s --config %s --seed %#llx --operations %zu --rounds 1\n", round_now.program,
        round_now.configuration, static_cast<unsigned long long>(round_now.seed), round_now.operations);
}

} // namespace

void start_watchdog(bool before_all, double patience_seconds) {
    watch_first = before_all;
    patience_ticks = static_cast<uint64_t>(patience_seconds * ticks_per_second);
    struct sigaction action = {};
    action.sa_handler = on_abort;
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(SIGABRT, &action, nullptr);
    pthread_t thread;
    if (pthread_create(&thread, nullptr, watch, nullptr) != 0)
        fail("cannot start the watchdog");
    pthread_detach(thread);
}

} // namespace torture
