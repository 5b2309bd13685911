/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One lot per process: an executable, two linked shared objects and one that is loaded later see the same queues. */
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <plc/mutex.h>
#include <plc/parking_lot.h>
#include <plc/rwlock_scalable.h>
#include <thread>
#include <vector>

extern "C" {
uintptr_t first_object_park(const void *key);
size_t first_object_unpark_all(const void *key, uintptr_t token);
void first_object_add(plc_mutex_t *mutex, long *sum, int rounds);
void first_object_read_lock(plc_rwlock_scalable_t *lock);
void first_object_read_unlock(plc_rwlock_scalable_t *lock);
bool first_object_try_write(plc_rwlock_scalable_t *lock);
uintptr_t second_object_park(const void *key);
size_t second_object_unpark_all(const void *key, uintptr_t token);
void second_object_add(plc_mutex_t *mutex, long *sum, int rounds);
void second_object_read_lock(plc_rwlock_scalable_t *lock);
void second_object_read_unlock(plc_rwlock_scalable_t *lock);
bool second_object_try_write(plc_rwlock_scalable_t *lock);
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
    void (*read_lock)(plc_rwlock_scalable_t *);
    void (*read_unlock)(plc_rwlock_scalable_t *);
    bool (*try_write)(plc_rwlock_scalable_t *);
};

void executable_read_lock(plc_rwlock_scalable_t *lock) {
    plc_rwlock_scalable_read_lock(lock);
}

void executable_read_unlock(plc_rwlock_scalable_t *lock) {
    plc_rwlock_scalable_read_unlock(lock);
}

bool executable_try_write(plc_rwlock_scalable_t *lock) {
    const bool taken = plc_rwlock_scalable_try_write_lock(lock);
    if (taken)
        plc_rwlock_scalable_write_unlock(lock);
    return taken;
}

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
            find(module.park, "loaded_object_park");
            find(module.unpark_all, "loaded_object_unpark_all");
            find(module.read_lock, "loaded_object_read_lock");
            find(module.read_unlock, "loaded_object_read_unlock");
            find(module.try_write, "loaded_object_try_write");
        }
        return module;
    }

  private:
    template <typename Function>
    void find(Function *&function, const char *name) const {
        function = reinterpret_cast<Function *>(dlsym(handle_, name));
    }
    void *handle_;
};

std::vector<Module> all_modules(const LoadedObject &loaded) {
    return {{executable_park, plc_unpark_all, executable_read_lock, executable_read_unlock, executable_try_write},
            {first_object_park, first_object_unpark_all, first_object_read_lock, first_object_read_unlock,
             first_object_try_write},
            {second_object_park, second_object_unpark_all, second_object_read_lock, second_object_read_unlock,
             second_object_try_write},
            loaded.module()};
}

TEST(SharedObjects, ShareOneLot) {
    const LoadedObject loaded;
    ASSERT_TRUE(loaded.module().park && loaded.module().unpark_all) << dlerror();
    const std::vector<Module> modules = all_modules(loaded);
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

/* A reader in the table is seen by a writer in any module, and may leave by way of any other. */
TEST(SharedObjects, ShareOneTableOfReaders) {
    const LoadedObject loaded;
    ASSERT_TRUE(loaded.module().read_lock && loaded.module().read_unlock && loaded.module().try_write) << dlerror();
    const std::vector<Module> modules = all_modules(loaded);
    plc_rwlock_scalable_t lock = PLC_RWLOCK_SCALABLE_INIT;
    for (const Module &reader : modules) {
        for (const Module &writer : modules) {
            do { /* until it reads by the table, and not by the lock's word */
                reader.read_lock(&lock);
                writer.read_unlock(&lock);
                reader.read_lock(&lock);
                if (lock.inner.state == 0)
                    break;
                reader.read_unlock(&lock);
            } while (true);
            EXPECT_FALSE(writer.try_write(&lock));
            writer.read_unlock(&lock);
            EXPECT_TRUE(writer.try_write(&lock));
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
