/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Linked into every scenario's executable. */
#include "mc.h"

int main(int argc, char **argv) {
    return mc_main(argc, argv, mc_scenarios, mc_scenario_count);
}
