/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A user's C++ program: the classes of plc.hpp under the standard library's guards, with data to check. */
#include <cstddef>
#include <cstdio>
#include <mutex>
#include <plc/plc.hpp>
#include <shared_mutex>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t thread_count = 4, rounds = 2000;

plc::mutex left, right;
plc::upgrade_mutex table_lock;
plc::condition_variable turn_changed;
plc::once_flag once;
std::size_t both, table, initialised, turn;

void work(std::size_t self) {
    for (std::size_t round = 0; round < rounds; ++round) {
        plc::call_once(once, [] { ++initialised; });
        if (self % 2 == 0) {
            std::scoped_lock guard(left, right);
            ++both;
        } else {
            std::scoped_lock guard(right, left);
            ++both;
        }
        {
            std::unique_lock<plc::upgrade_mutex> guard(table_lock, std::chrono::hours(1));
            table += initialised;
        }
        std::shared_lock<plc::upgrade_mutex> guard(table_lock);
        if (table == 0)
            std::terminate();
    }
    for (std::size_t round = 0; round < rounds / 10; ++round) {
        std::unique_lock<plc::mutex> guard(left);
        turn_changed.wait(guard, [self] { return turn % thread_count == self; });
        ++turn;
        turn_changed.notify_all();
    }
}

} // namespace

int main() {
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < thread_count; ++i)
        threads.emplace_back(work, i);
    for (std::thread &thread : threads)
        thread.join();

    constexpr std::size_t all = thread_count * rounds;
    const bool is_right = both == all && table == all && turn == all / 10;
    std::printf("scoped_lock %zu, unique_lock %zu, turns %zu: %s\n", both, table, turn, is_right ? "right" : "WRONG");
    return is_right ? 0 : 1;
}
