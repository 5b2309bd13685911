/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A program, two plugins and the drop-in: one lot for all, and locks that any of them may use. */
#include "dropin.h"

#include <plc/mutex.h>
#include <plc/parking_lot.h>

#include <atomic>
#include <fstream>
#include <set>
#include <vector>

using namespace dropin;

DROPIN_EXPECTED_PROVIDER_TEST();

namespace {

struct Plugin {
    void *handle;
    explicit Plugin(const char *path) : handle(dlopen(path, RTLD_NOW | RTLD_LOCAL)) {
        EXPECT_NE(handle, nullptr) << dlerror();
    }
    Plugin(const Plugin &) = delete;
    Plugin &operator=(const Plugin &) = delete;
    ~Plugin() {
        dlclose(handle);
    }
    template <typename T>
    T *find(const char *name) {
        T *found = reinterpret_cast<T *>(dlsym(handle, name));
        EXPECT_NE(found, nullptr) << name;
        return found;
    }
};

using CountWith = int(pthread_mutex_t *, plc_mutex_t *, long *, int);
using UnparkAll = size_t(const void *, uintptr_t);
using Park = plc_park_result(const void *, const plc_park_ops *, void *);

TEST(OneLot, ThereIsOneLibrary) {
    Plugin first(PLUGIN_FIRST);
    Plugin second(PLUGIN_SECOND);
    std::ifstream maps("/proc/self/maps");
    std::set<std::string> files;
    for (std::string line; std::getline(maps, line);) {
        const size_t name = line.rfind("/libplc.so");
        if (name != std::string::npos)
            files.insert(line.substr(line.find('/')));
    }
    EXPECT_EQ(files.size(), 1u);
}

TEST(OneLot, APluginUnparksWhomAnotherParked) {
    Plugin first(PLUGIN_FIRST);
    Plugin second(PLUGIN_SECOND);
    Park *park = first.find<Park>("plugin_park");
    UnparkAll *unpark_all = second.find<UnparkAll>("plugin_unpark_all");
    for (int round = 0; round < 200; ++round) {
        char key = 0;
        std::atomic<bool> is_queued{false};
        plc_park_result result{};
        std::thread parked([&] {
            plc_park_ops ops{};
            ops.before_sleep = [](void *context) { *static_cast<std::atomic<bool> *>(context) = true; };
            result =
                round % 2 == 0 ? park(&key, &ops, &is_queued) : plc_park(&key, &ops, &is_queued, 0, PLC_NO_DEADLINE);
        });
        while (!is_queued)
            std::this_thread::yield();
        EXPECT_EQ(unpark_all(&key, 42), 1u);
        parked.join();
        EXPECT_EQ(result.status, PLC_PARK_UNPARKED);
        EXPECT_EQ(result.token, 42u);
    }
}

TEST(OneLot, LocksOfPluginsExcludeEverybody) {
    constexpr int kRounds = 20000;
    Plugin first(PLUGIN_FIRST);
    Plugin second(PLUGIN_SECOND);
    pthread_mutex_t *mutex = first.find<pthread_mutex_t>("plugin_pthread_mutex");
    plc_mutex_t *plc_mutex = second.find<plc_mutex_t>("plugin_plc_mutex");
    long *count = second.find<long>("plugin_count");
    CountWith *count_in[] = {first.find<CountWith>("plugin_count_with"), second.find<CountWith>("plugin_count_with")};
    std::vector<std::thread> threads;
    for (CountWith *count_there : count_in)
        threads.emplace_back([=] { EXPECT_EQ(count_there(mutex, plc_mutex, count, kRounds), 0); });
    threads.emplace_back([=] {
        for (int i = 0; i < kRounds; ++i) {
            ASSERT_EQ(pthread_mutex_lock(mutex), 0);
            plc_mutex_lock(plc_mutex);
            ++*count;
            plc_mutex_unlock(plc_mutex);
            ASSERT_EQ(pthread_mutex_unlock(mutex), 0);
        }
    });
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(*count, 3 * kRounds);
}

} // namespace
