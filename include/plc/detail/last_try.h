/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Whether a try looks at a lock before it tries. */
#ifndef PLC_DETAIL_LAST_TRY_H
#define PLC_DETAIL_LAST_TRY_H

#include <plc/detail/config.h>

PLC_BEGIN_DECLS

/* A look at a byte that this thread has changed by an atomic operation shortly before waits for that operation, so that a try
   of a free lock which looks first takes a third longer. A try that finds the lock held without having looked has fetched its cache line
   for writing in vain. So a try looks first exactly if this thread's last try failed: whoever tries again and again does not disturb
   the holder, and whoever gets what it tries for does not wait. It is a hint, and no lock's state depends on it. Where the
   object format has no weak thread-local variables, tries always look. */
#if defined(__ELF__) && !defined(PLC_MODEL)

/* One per thread and shared object. */
extern __thread bool plc_last_try_failed_ __attribute__((weak, visibility("hidden"), tls_model("initial-exec")));
/* Weak: there may be many definitions. NOLINTNEXTLINE(misc-definitions-in-headers) */
__thread bool plc_last_try_failed_ __attribute__((weak, visibility("hidden"), tls_model("initial-exec"))) = false;

PLC_INLINE bool plc_try_looks_first_(void) {
    return PLC_UNLIKELY(plc_last_try_failed_);
}

/* looks: what the former said of this try. */
PLC_INLINE void plc_try_ended_(bool looks, bool taken) {
    if (PLC_UNLIKELY(looks == taken))
        plc_last_try_failed_ = !taken;
}

#else

PLC_INLINE bool plc_try_looks_first_(void) {
    return true;
}

PLC_INLINE void plc_try_ended_(bool looks, bool taken) {
    (void)looks;
    (void)taken;
}

#endif

PLC_END_DECLS
#endif
