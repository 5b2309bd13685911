/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* An ideal lock in place of the word lock: what is built on bucket locks is checked without exploring these too. */
#include "mc.h"
#include "word_lock/word_lock.h"

void plc_word_lock_lock(struct plc_word_lock *lock) {
    mc_lock(lock);
}

bool plc_word_lock_try_lock(struct plc_word_lock *lock) {
    return mc_try_lock(lock);
}

bool plc_word_lock_try_lock_idle(struct plc_word_lock *lock) {
    return mc_try_lock(lock);
}

void plc_word_lock_unlock(struct plc_word_lock *lock) {
    mc_unlock(lock);
}
