// Interrupts. The first Ctrl-C or SIGTERM sets a flag, so that the running step is finished and everything
// written; a second one ends the process at once. What comes within 0.2 s of the first is the same one: some
// tools signal a process and then its group. A handler can reach nothing but what is static.
#include "driver.h"
#include <signal.h>
#include <time.h>
#include <unistd.h>

static volatile int interrupted;
static volatile sig_atomic_t terminated;
static volatile double first_at;

static void on_signal(int number) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  double now = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
  if (interrupted) {
    if (now - first_at > 0.2) _exit(number == SIGTERM ? EXIT_TERMINATED : REG_INTERRUPTED);
    return;
  }
  if (number == SIGTERM) terminated = 1;
  first_at = now;
  interrupted = 1;
}

volatile int *signals_install(void) {
  interrupted = 0;
  struct sigaction action = {.sa_handler = on_signal};
  sigemptyset(&action.sa_mask);
  sigaddset(&action.sa_mask, SIGINT);
  sigaddset(&action.sa_mask, SIGTERM);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  return &interrupted;
}

int signals_exit_code(int code) { return code == REG_INTERRUPTED && terminated ? EXIT_TERMINATED : code; }
