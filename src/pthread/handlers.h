/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Stand-ins for the program's signal handlers, which put themselves off while their thread is in a section. */
#ifndef PLC_DROPIN_HANDLERS_H
#define PLC_DROPIN_HANDLERS_H

#include "real.h"

/* The handler to install for the program's: a stand-in, or the program's own where that cannot be one. libplc has been told by
   then, so that in either case no handler runs where it must not. */
dropin_handler dropin_stand_in(int number, int flags, dropin_handler installed);

/* What the program had installed, if that which is installed is a stand-in; else the same. */
dropin_handler dropin_stands_for(dropin_handler installed);

#endif
