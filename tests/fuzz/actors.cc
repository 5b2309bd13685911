/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The actors, the journal, and waiting with a limit. */
#include "actors.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <sched.h>
#include <string>
#include <thread>
#include <vector>

namespace fuzz {

/* ---- Actors */

Actor::Actor() {
    std::thread([this] { run(); }).detach();
}

void Actor::start(std::function<void()> task) {
    {
        const std::lock_guard<std::mutex> guard(mutex_);
        task_ = std::move(task);
        state_.store(State::busy, std::memory_order_release);
    }
    condition_.notify_one();
}

void Actor::rest() {
    state_.store(State::idle, std::memory_order_release);
}

void Actor::run() {
    for (;;) {
        std::function<void()> task;
        {
            std::unique_lock<std::mutex> guard(mutex_);
            condition_.wait(guard, [this] { return task_ != nullptr; });
            task.swap(task_);
        }
        task();
        state_.store(State::done, std::memory_order_release);
    }
}

Actor *idle_actor() {
    constexpr size_t count = 8;
    static Actor *const actors = new Actor[count]; /* theirs for ever: they never end */
    for (size_t i = 0; i < count; ++i) {
        if (actors[i].is_idle())
            return &actors[i];
    }
    return nullptr;
}

/* ---- Journal */

namespace {

std::vector<std::string> journal;
std::vector<uint8_t> program;

} // namespace

void begin_program(const uint8_t *data, size_t size) {
    journal.clear();
    program.assign(data, data + size);
}

void note(const char *format, ...) {
    char line[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    journal.emplace_back(line);
}

size_t now() {
    return journal.size();
}

void mismatch(const char *format, ...) {
    for (size_t i = 0; i < journal.size(); ++i)
        std::fprintf(stderr, "%4zu  %s\n", i + 1, journal[i].c_str());
    std::fprintf(stderr, "program:");
    for (const uint8_t byte : program)
        std::fprintf(stderr, " %02x", byte);
    std::fprintf(stderr, "\nFUZZ FAILED: ");
    va_list arguments;
    va_start(arguments, format);
    std::vfprintf(stderr, format, arguments);
    va_end(arguments);
    std::fprintf(stderr, "\n");
    std::fflush(stderr);
    std::abort();
}

void wait_until(const char *what, const std::function<bool()> &condition) {
    constexpr double patience = 20;
    timespec begin;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    while (!condition()) {
        timespec time;
        clock_gettime(CLOCK_MONOTONIC, &time);
        if (static_cast<double>(time.tv_sec - begin.tv_sec) > patience)
            mismatch("%s: it does not come to rest as it should", what);
        sched_yield();
    }
}

} // namespace fuzz
