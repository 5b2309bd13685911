/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A plugin with locks of its own, of pthread's and of libplc's; loaded twice, as two files. */
#include <plc/mutex.h>
#include <plc/parking_lot.h>

#include <pthread.h>

PLC_API pthread_mutex_t plugin_pthread_mutex = PTHREAD_MUTEX_INITIALIZER;
PLC_API plc_mutex_t plugin_plc_mutex = PLC_MUTEX_INIT;
PLC_API long plugin_count;

/* So many rounds, each under a mutex of the host's or another plugin's. */
PLC_API int plugin_count_with(pthread_mutex_t *theirs, plc_mutex_t *theirs_too, long *count, int rounds) {
    for (int i = 0; i < rounds; i++) {
        if (pthread_mutex_lock(theirs) != 0)
            return 1;
        plc_mutex_lock(theirs_too);
        (*count)++;
        plc_mutex_unlock(theirs_too);
        if (pthread_mutex_unlock(theirs) != 0)
            return 1;
    }
    return 0;
}

PLC_API size_t plugin_unpark_all(const void *key, uintptr_t token) {
    return plc_unpark_all(key, token);
}

PLC_API struct plc_park_result plugin_park(const void *key, const struct plc_park_ops *ops, void *context) {
    return plc_park(key, ops, context, 0, PLC_NO_DEADLINE);
}
