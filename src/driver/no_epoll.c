/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* In place of epoll.c on systems that have no epoll. */
#include <errno.h>
#include <plc/driver.h>

int plc_driver_open_epoll(plc_driver_t **driver) {
    *driver = NULL;
    return ENOSYS;
}
