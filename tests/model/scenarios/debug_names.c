/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Who looks a name up sees all of it, and never that of another object. */
#include "debug/names.h"

#include <plc/detail/atomic.h>

#include "mc.h"

/* There is room for one name, of two words. */

static const char first = 0, second = 0;

#define OLD "aaaaaaaaaaaa"
#define NEW "bbbbbbbbbbbb"

static void name_the_first(void) {
    MC_ASSERT(plc_debug_name(&first, OLD));
}

static bool is_called(const char *name, const char *expected) {
    for (; *name && *name == *expected; name++)
        expected++;
    return *name == *expected;
}

static void name_again(int self) {
    char name[PLC_NAME_BYTES];
    if (self == 0)
        plc_debug_name(&first, NEW);
    else if (plc_debug_name_of(&first, name, sizeof name))
        MC_ASSERT(is_called(name, OLD) || is_called(name, NEW));
}

/* The entry of the first becomes that of the second. */
static void reuse_the_entry(const char *looked_for, const char *expected, int self) {
    char name[PLC_NAME_BYTES];
    if (self == 0) {
        plc_debug_forget(&first);
        plc_debug_name(&second, NEW);
    } else if (plc_debug_name_of(looked_for, name, sizeof name)) {
        MC_ASSERT(is_called(name, expected));
    }
}

static void look_for_the_first(int self) {
    reuse_the_entry(&first, OLD, self);
}

static void look_for_the_second(int self) {
    reuse_the_entry(&second, NEW, self);
}

static uint32_t count_fitting;

static void two_objects_for_one_entry(int self) {
    if (plc_debug_name(self == 0 ? &first : &second, NEW))
        plc_fetch_add_relaxed(&count_fitting, 1u);
}

static void one_fitted(void) {
    char name[PLC_NAME_BYTES];
    MC_ASSERT(count_fitting == 1 && plc_names_dropped() == 1);
    MC_ASSERT(plc_debug_name_of(&first, name, sizeof name) != plc_debug_name_of(&second, name, sizeof name));
}

MC_SCENARIOS({.name = "debug: a name that changes is the old one or the new one",
              .threads = 2,
              .setup = name_the_first,
              .thread = name_again},
             {.name = "debug: the name of one object is never another's: the first",
              .threads = 2,
              .setup = name_the_first,
              .thread = look_for_the_first},
             {.name = "debug: the name of one object is never another's: the second",
              .threads = 2,
              .setup = name_the_first,
              .thread = look_for_the_second},
             {.name = "debug: two objects, room for one name",
              .threads = 2,
              .thread = two_objects_for_one_entry,
              .finish = one_fitted});
