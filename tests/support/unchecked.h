/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Locks as code takes and gives them back that was not compiled with PLC_CHECKED. */
#ifndef PLC_TESTS_SUPPORT_UNCHECKED_H
#define PLC_TESTS_SUPPORT_UNCHECKED_H

#include <plc/mutex.h>
#include <plc/rwlock.h>

namespace plc_test {

void unchecked_mutex_lock(plc_mutex_t *mutex);
void unchecked_mutex_unlock(plc_mutex_t *mutex);
void unchecked_read_lock(plc_rwlock_t *lock);
void unchecked_write_lock(plc_rwlock_t *lock);
void unchecked_write_unlock(plc_rwlock_t *lock);
void unchecked_upgradable_lock(plc_rwlock_t *lock);

} // namespace plc_test

#endif
