/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Threads with small stacks, so that thousands fit anywhere. */
#ifndef PLC_TESTS_SUPPORT_SMALL_THREADS_H
#define PLC_TESTS_SUPPORT_SMALL_THREADS_H

#include <cstdlib>
#include <functional>
#include <memory>
#include <pthread.h>
#include <vector>

namespace plc_test {

class SmallThreads {
  public:
    explicit SmallThreads(size_t stack_size = size_t{256} << 10) : stack_size_(stack_size) {}

    /* Starts @p count threads that run body(0), body(1), ... */
    template <typename Body>
    void start(size_t count, Body body) {
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        if (pthread_attr_setstacksize(&attributes, stack_size_) != 0)
            std::abort();
        for (size_t i = 0; i < count; ++i) {
            auto call = std::make_unique<std::function<void()>>([body, i] { body(i); });
            pthread_t thread;
            if (pthread_create(&thread, &attributes, run, call.get()) != 0)
                std::abort();
            call.release(); /* the thread's now */
            threads_.push_back(thread);
        }
        pthread_attr_destroy(&attributes);
    }

    void join() {
        for (const pthread_t thread : threads_)
            pthread_join(thread, nullptr);
        threads_.clear();
    }

  private:
    static void *run(void *argument) {
        const std::unique_ptr<std::function<void()>> call(static_cast<std::function<void()> *>(argument));
        (*call)();
        return nullptr;
    }

    size_t stack_size_;
    std::vector<pthread_t> threads_;
};

} // namespace plc_test

#endif
