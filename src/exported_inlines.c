/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Every inline of the public headers once more as an ordinary symbol, for dlsym and foreign function interfaces. */
#include <plc/detail/config.h>
#undef PLC_INLINE
#define PLC_INLINE PLC_API

#include <plc/async.h>
#include <plc/atomic_waker.h>
#include <plc/condvar.h>
#include <plc/deadline.h>
#include <plc/mutex.h>
#include <plc/once.h>
#include <plc/parker.h>
#include <plc/rwlock.h>
#include <plc/rwlock_scalable.h>
#include <plc/waker.h>
