// Interrupts. The first Ctrl-C or SIGTERM sets a flag, so that the running step is finished and everything
// written; a second Ctrl-C ends the process at once. The flag and the signal's number are the only things a
// handler can reach: hence static.
#include "driver.h"
#include <signal.h>
#include <unistd.h>

static volatile int interrupted;
static volatile sig_atomic_t terminated;

static void on_signal(int number) {
  if (number == SIGTERM) terminated = 1;
  if (interrupted) _exit(number == SIGTERM ? EXIT_TERMINATED : REG_INTERRUPTED);
  interrupted = 1;
}

volatile int *signals_install(void) {
  struct sigaction action = {.sa_handler = on_signal};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  return &interrupted;
}

int signals_exit_code(int code) { return code == REG_INTERRUPTED && terminated ? EXIT_TERMINATED : code; }
