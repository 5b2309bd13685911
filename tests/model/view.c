/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Views: what is known of each thread's past and of each location's stores. */
#include "internal.h"

/* Elements beyond the locations in use are zero on both sides. Fixed pieces, so that the compiler makes vector code. */
enum { PIECE = 8 };
_Static_assert(MAX_LOCATIONS % PIECE == 0, "views are made of whole pieces");

/* Whoever joins a view knows all that it knows. */
void view_join(struct view *into, const struct view *from) {
    for (int i = 0; i < MC_MAX_THREADS; i++) {
        if (into->clock[i] < from->clock[i])
            into->clock[i] = from->clock[i];
    }
    for (int i = 0; i < mc.location_count; i += PIECE) {
        for (int j = i; j < i + PIECE; j++)
            into->seen[j] = into->seen[j] < from->seen[j] ? from->seen[j] : into->seen[j];
    }
}
