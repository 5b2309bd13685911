/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Sleeping on a 32-bit word: by futex where threads are parked with one, else in the parking lot, by the word's address. */
#ifndef PLC_WORD_WAIT_H
#define PLC_WORD_WAIT_H

#include <plc/deadline.h>

PLC_BEGIN_DECLS

/* Sleeps while *word == expected, until woken or until the deadline passes. Returns false only if the deadline has
   passed; true means: look again. The comparison orders nothing. */
bool plc_word_wait(uint32_t *word, uint32_t expected, plc_deadline_t deadline);

/* Wakes one of the threads that sleep on the word, or all. Uses only its address: the memory may be gone, and a thread
   that sleeps on a new word at the old address may be woken for nothing. */
void plc_word_wake_one(uint32_t *word);
void plc_word_wake_all(uint32_t *word);

PLC_END_DECLS

#endif
