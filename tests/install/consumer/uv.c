/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The installed driver for libuv: a loop's timer is run by a worker that parks in the driver. */
#include <plc/driver_uv.h>
#include <stdio.h>
#include <uv.h>

static void on_timer(uv_timer_t *timer) {
    *(int *)timer->data += 1;
    uv_close((uv_handle_t *)timer, NULL);
}

int main(void) {
    uv_loop_t loop;
    uv_timer_t timer;
    plc_driver_t *driver;
    int rings = 0;
    if (uv_loop_init(&loop) != 0 || plc_driver_open_uv(&driver, &loop) != 0)
        return 1;
    plc_driver_uv_enter(driver);
    timer.data = &rings;
    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, on_timer, 1, 0);
    plc_driver_uv_leave(driver);
    while (rings == 0)
        plc_driver_operations()->park_until(driver, PLC_NO_DEADLINE);
    plc_driver_close(driver);
    printf("the timer rang %d times\n", rings);
    return uv_loop_close(&loop) == 0 && rings == 1 ? 0 : 1;
}
