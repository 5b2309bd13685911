/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The two forms that plc_waiters_t and plc_word_parker_t can take: a number slept on by plc_word_wait, or a pointer to
   what waiting threads keep on their stacks. One of them is behind the public names; the tests run both. */
#ifndef PLC_FORMS_H
#define PLC_FORMS_H

#include <plc/waiters.h>
#include <plc/word_parker.h>

PLC_BEGIN_DECLS

unsigned plc_waiters_number_value(const plc_waiters_t *waiters);
enum plc_waiters_status plc_waiters_number_wait(plc_waiters_t *waiters, unsigned expected, plc_deadline_t deadline);
void plc_waiters_number_store(plc_waiters_t *waiters, unsigned value);
bool plc_waiters_number_compare_exchange(plc_waiters_t *waiters, unsigned *expected, unsigned value);

unsigned plc_waiters_stack_value(const plc_waiters_t *waiters);
enum plc_waiters_status plc_waiters_stack_wait(plc_waiters_t *waiters, unsigned expected, plc_deadline_t deadline);
void plc_waiters_stack_store(plc_waiters_t *waiters, unsigned value);
bool plc_waiters_stack_compare_exchange(plc_waiters_t *waiters, unsigned *expected, unsigned value);

bool plc_word_parker_number_park(plc_word_parker_t *parker, plc_deadline_t deadline);
void plc_word_parker_number_unpark(plc_word_parker_t *parker);
bool plc_word_parker_stack_park(plc_word_parker_t *parker, plc_deadline_t deadline);
void plc_word_parker_stack_unpark(plc_word_parker_t *parker);

PLC_END_DECLS

#endif
