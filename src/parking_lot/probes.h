/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What libplc tells libplc_pthread.so of waits and wakes, and asks it. */
#ifndef PLC_LOT_PROBES_H
#define PLC_LOT_PROBES_H

#include <plc/debug.h>

PLC_BEGIN_DECLS

/* What libplc_pthread.so is told, for its probes, if it has any: the first three, or none of them. Exported for it, not API.
   Called with no bucket locked. */
struct plc_lot_probes {
    void (*park)(const void *address, unsigned kind);
    void (*parked)(const void *address, unsigned kind, bool timed_out);
    void (*unpark)(const void *address, unsigned kind);
    /* Whose number the owner field at this address holds, as far as that can be said; 0: nobody's. For dumps. */
    uint64_t (*holder)(const void *address, unsigned kind);
};
PLC_API void plc_lot_set_probes_(const struct plc_lot_probes *probes);

PLC_END_DECLS
#endif
