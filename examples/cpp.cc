// SPDX-License-Identifier: MIT OR Apache-2.0
// The C++ classes under the standard library's guards: a cache that is read by many and filled once per key.
#include <plc/plc.hpp>

#include <cstdio>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

class squares {
  public:
    long operator()(long n) {
        {
            std::shared_lock readers(lock_);
            if (auto found = cache_.find(n); found != cache_.end())
                return found->second;
        }
        // Only one thread at a time is here, beside the readers; it becomes a writer only if the key is still missing.
        lock_.lock_upgrade();
        if (auto found = cache_.find(n); found != cache_.end()) {
            const long square = found->second;
            lock_.unlock_upgrade();
            return square;
        }
        lock_.unlock_upgrade_and_lock();
        std::unique_lock writer(lock_, std::adopt_lock);
        ++computed_;
        return cache_[n] = n * n;
    }
    size_t computed() {
        std::shared_lock readers(lock_);
        return computed_;
    }

  private:
    plc::upgrade_mutex lock_; // one word
    std::map<long, long> cache_;
    size_t computed_ = 0;
};

plc::mutex mutex; // one byte
plc::condition_variable all_ready;
plc::once_flag greeted;
int ready = 0;

} // namespace

int main() {
    constexpr int thread_count = 4, keys = 500;
    squares square;
    long sums[thread_count] = {};

    std::vector<std::thread> threads;
    threads.reserve(thread_count);
    for (int t = 0; t < thread_count; ++t)
        threads.emplace_back([&, t] {
            plc::call_once(greeted, [] { std::puts("the first thread says hello"); });
            {
                std::unique_lock<plc::mutex> guard(mutex);
                ++ready;
                all_ready.notify_all();
                all_ready.wait(guard, [] { return ready == thread_count; });
            }
            for (long n = 1; n <= keys; ++n)
                sums[t] += square(n);
        });
    for (std::thread &thread : threads)
        thread.join();

    constexpr long expected = static_cast<long>(keys) * (keys + 1) * (2 * keys + 1) / 6;
    bool right = square.computed() == keys;
    for (long sum : sums)
        right = right && sum == expected;
    std::printf("%d threads summed up %d squares, each computed once: %s\n", thread_count, keys, right ? "yes" : "NO");
    return right ? 0 : 1;
}
