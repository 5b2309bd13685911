/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A shared object that uses libplc.so with everything of its own hidden; built several times under several names. */
#include <plc/mutex.h>
#include <plc/parking_lot.h>
#include <plc/rwlock_scalable.h>

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define EXPORT(name) __attribute__((visibility("default"))) PASTE(OBJECT_NAME, name)

uintptr_t EXPORT(_park)(const void *key);
size_t EXPORT(_unpark_all)(const void *key, uintptr_t token);
void EXPORT(_add)(plc_mutex_t *mutex, long *sum, int rounds);
void EXPORT(_read_lock)(plc_rwlock_scalable_t *lock);
void EXPORT(_read_unlock)(plc_rwlock_scalable_t *lock);
bool EXPORT(_try_write)(plc_rwlock_scalable_t *lock);

uintptr_t EXPORT(_park)(const void *key) {
    const struct plc_park_ops ops = {0};
    return plc_park(key, &ops, NULL, 0, PLC_NO_DEADLINE).token;
}

size_t EXPORT(_unpark_all)(const void *key, uintptr_t token) {
    return plc_unpark_all(key, token);
}

void EXPORT(_add)(plc_mutex_t *mutex, long *sum, int rounds) {
    for (int i = 0; i < rounds; i++) {
        plc_mutex_lock(mutex);
        ++*sum;
        plc_mutex_unlock(mutex);
    }
}

void EXPORT(_read_lock)(plc_rwlock_scalable_t *lock) {
    plc_rwlock_scalable_read_lock(lock);
}

void EXPORT(_read_unlock)(plc_rwlock_scalable_t *lock) {
    plc_rwlock_scalable_read_unlock(lock);
}

bool EXPORT(_try_write)(plc_rwlock_scalable_t *lock) {
    const bool taken = plc_rwlock_scalable_try_write_lock(lock);
    if (taken)
        plc_rwlock_scalable_write_unlock(lock);
    return taken;
}
