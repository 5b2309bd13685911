/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The other half of a program that is compiled with PLC_CHECKED only in part. */
#include "support/unchecked.h"

#ifdef PLC_CHECKED
#error "this file is the unchecked part"
#endif

namespace plc_test {

void unchecked_mutex_lock(plc_mutex_t *mutex) {
    plc_mutex_lock(mutex);
}
void unchecked_mutex_unlock(plc_mutex_t *mutex) {
    plc_mutex_unlock(mutex);
}
void unchecked_read_lock(plc_rwlock_t *lock) {
    plc_rwlock_read_lock(lock);
}
void unchecked_write_lock(plc_rwlock_t *lock) {
    plc_rwlock_write_lock(lock);
}
void unchecked_write_unlock(plc_rwlock_t *lock) {
    plc_rwlock_write_unlock(lock);
}
void unchecked_upgradable_lock(plc_rwlock_t *lock) {
    plc_rwlock_upgradable_lock(lock);
}

} // namespace plc_test
