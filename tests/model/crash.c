/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Turns a crash of the code under test into a finding like any other. */
#define _GNU_SOURCE
#include "internal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* A broken memory order lets a thread follow a null or a stale pointer. The handler never returns: it leaves the fiber
   as a failed assertion does. Outside of executions a crash is the checker's own, and is left alone. */
static void on_crash(int signal_number, siginfo_t *info, void *context) {
    (void)context;
    if (!mc.exploring) {
        signal(signal_number, SIG_DFL);
        return;
    }
    execution_failed(MC_CRASH, mc.mode == MODE_MODEL ? mc.thread[mc.current].op.site : NULL, NULL,
                     "T%d: signal %d at address %p, some time after its last step", mc.current, signal_number,
                     info->si_addr);
}

void crash_init(void) {
    static char stack[64 * 1024];
    stack_t alternative = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&alternative, NULL);
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_crash;
    action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGILL, &action, NULL);
    sigaction(SIGFPE, &action, NULL);
}
