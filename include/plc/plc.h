/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/** @file
 *  All of libplc's locks, what tasks and their runtimes park on, and the parking lot that they are built on. C++ has plc/plc.hpp. */
#ifndef PLC_PLC_H
#define PLC_PLC_H

#include <plc/async.h>
#include <plc/atomic_waker.h>
#include <plc/block_on.h>
#include <plc/condvar.h>
#include <plc/deadline.h>
#include <plc/debug.h>
#include <plc/driver.h>
#include <plc/driver_parker.h>
#include <plc/mutex.h>
#include <plc/once.h>
#include <plc/parker.h>
#include <plc/parking_lot.h>
#include <plc/rwlock.h>
#include <plc/rwlock_scalable.h>
#include <plc/unparker.h>
#include <plc/waiters.h>
#include <plc/waker.h>
#include <plc/word_parker.h>

#endif
