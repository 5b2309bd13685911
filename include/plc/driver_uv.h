/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/** @file
 *  A driver that runs a loop of libuv: for programs that have one, or use libraries that want one.
 *
 *  In libplc_uv, shared and static, which is there if libuv was when libplc was built: plc::plc_uv or plc::plc_uv_static of
 *  find_package(plc), or what `pkg-config --cflags --libs plc-uv` says, which names libplc and libuv too.
 *
 *  The loop's callbacks are called by whichever worker runs the driver. libuv's loops are for one thread: so whoever else uses the
 *  loop, its handles or requests does it between plc_driver_uv_enter and plc_driver_uv_leave; callbacks of the loop need not.
 *  uv_async_send needs neither.
 *
 *  The loop stays the caller's; nobody but the driver calls uv_run while the driver is open. */
#ifndef PLC_DRIVER_UV_H
#define PLC_DRIVER_UV_H

#include <plc/driver.h>

struct uv_loop_s;

PLC_BEGIN_DECLS

/** Makes a driver of @p loop. Returns 0, or an error number: EMFILE, ENFILE, ENOMEM. Descriptors get O_NONBLOCK when they are
 *  registered; plc_io_register says EEXIST and EPERM as epoll does. */
PLC_API int plc_driver_open_uv(plc_driver_t **driver, struct uv_loop_s *loop);

/** Keeps the others away from the loop. Not nested, and no libplc lock is taken meanwhile. Blocks while callbacks run. */
PLC_API void plc_driver_uv_enter(plc_driver_t *driver);

/** Ends that, and has whoever waits in the driver see what was changed. */
PLC_API void plc_driver_uv_leave(plc_driver_t *driver);

PLC_END_DECLS
#endif
