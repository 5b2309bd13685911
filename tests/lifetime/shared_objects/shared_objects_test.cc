/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One lot per process: an executable, two linked shared objects and one that is loaded later see the same queues. */
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <plc/mutex.h>
#include <plc/parking_lot.h>
#include <thread>
#include <vector>

extern "C" {
uintptr_t first_object_park(const void *key);
size_t first_object_unpark_all(const void *key, uintptr_t token);
void first_object_add(plc_mutex_t *mutex, long *sum, int rounds);
uintptr_t second_object_park(const void *key);
size_t second_object_unpark_all(const void *key, uintptr_t token);
void second_object_add(plc_mutex_t *mutex, long *sum, int rounds);
}

namespace {

uintptr_t executable_park(const void *key) {
    const plc_park_ops ops = {};
    return plc_park(key, &ops, nullptr, 0, PLC_NO_DEADLINE).token;
}

/* One of the modules of this process. */
struct Module {
    uintptr_t (*park)(const void *);
    size_t (*unpark_all)(const void *, uintptr_t);
};

/* The one that is loaded by dlopen, with its symbols kept to itself. */
class LoadedObject {
  public:
    LoadedObject() : handle_(dlopen(PLC_TEST_LOADED_OBJECT, RTLD_NOW | RTLD_LOCAL)) {}
    ~LoadedObject() {
        if (handle_)
            dlclose(handle_);
    }
    Module module() const {
        Module module = {};
        if (handle_) {
            module.park = reinterpret_cast<decltype(module.park)>(dlsym(handle_, "loaded_object_park"));
            module.unpark_all =
                reinterpret_cast<decltype(module.unpark_all)>(dlsym(handle_, "loaded_object_unpark_all"));
        }
        return module;
    }

  private:
    void *handle_;
};

TEST(SharedObjects, ShareOneLot) {
    const LoadedObject loaded;
    ASSERT_TRUE(loaded.module().park && loaded.module().unpark_all) << dlerror();
    const std::vector<Module> modules = {{executable_park, plc_unpark_all},
                                         {first_object_park, first_object_unpark_all},
                                         {second_object_park, second_object_unpark_all},
                                         loaded.module()};
    for (const Module &sleeper : modules) {
        for (const Module &waker : modules) {
            const char key = 0;
            uintptr_t token = 0;
            std::thread thread([&] { token = sleeper.park(&key); });
            while (waker.unpark_all(&key, 31) == 0) /* not there yet */
                std::this_thread::yield();
            thread.join();
            EXPECT_EQ(token, 31u);
        }
    }
}

TEST(SharedObjects, ShareAMutex) {
    constexpr int rounds = 50'000;
    plc_mutex_t mutex = PLC_MUTEX_INIT;
    long sum = 0;
    std::thread first([&] { first_object_add(&mutex, &sum, rounds); });
    std::thread second([&] { second_object_add(&mutex, &sum, rounds); });
    for (int i = 0; i < rounds; ++i) {
        plc_mutex_lock(&mutex);
        ++sum;
        plc_mutex_unlock(&mutex);
    }
    first.join();
    second.join();
    EXPECT_EQ(sum, 3L * rounds);
}

} // namespace
