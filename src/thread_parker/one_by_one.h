/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* For parkers whose owners cannot be woken together: whoever is unparked is woken at once, and there is nothing to gather. */
#ifndef PLC_ONE_BY_ONE_H
#define PLC_ONE_BY_ONE_H

struct plc_wake_batch {
    char nothing;
};

#endif
