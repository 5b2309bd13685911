/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The one-word parker, first form: plc_parker_t's state in a part of the word. */
#include <plc/parker.h>

#include "task/forms.h"

/* The state lies where the word begins, whatever the machine's byte order; the rest stays zero. */
static plc_parker_t *parker_in(plc_word_parker_t *parker) {
    return (plc_parker_t *)&parker->state;
}

bool plc_word_parker_number_park(plc_word_parker_t *parker, plc_deadline_t deadline) {
    return plc_parker_park_until(parker_in(parker), deadline);
}

void plc_word_parker_number_unpark(plc_word_parker_t *parker) {
    plc_parker_unpark(parker_in(parker));
}
