/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Views: what is known of each thread's past and of each location's stores. */
#include "internal.h"

/* Whoever joins a view knows all that it knows. Whole arrays, so that the compiler makes vector code of it: the unused
   ends are zero on both sides. */
void view_join(struct view *into, const struct view *from) {
    for (int i = 0; i < MC_MAX_THREADS; i++) {
        if (into->clock[i] < from->clock[i])
            into->clock[i] = from->clock[i];
    }
    for (int i = 0; i < MAX_LOCATIONS; i++)
        into->seen[i] = into->seen[i] < from->seen[i] ? from->seen[i] : into->seen[i];
}
