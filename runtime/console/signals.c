// Interrupts. The first Ctrl-C or SIGTERM sets a flag, so that the running step is finished and everything
// written; a second one ends the process at once, unless there is more to lose than the run. What comes
// within 0.2 s of the first is the same one: some tools signal a process and then its group. SIGUSR1 asks for
// a checkpoint. A handler can reach nothing but what is static.
#include "reg/console.h"
#include <signal.h>
#include <time.h>
#include <unistd.h>

static volatile int interrupted;
static volatile sig_atomic_t terminated;
static volatile double first_at;
static volatile int checkpoint_asked;
static const char *volatile stay; // told instead of ending at a second Ctrl-C; NULL: it ends

static void on_signal(int number) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  double now = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
  if (interrupted) {
    const char *text = stay;
    size_t n = 0;
    while (text && text[n]) n++;
    if (text && number == SIGINT) {
      if (now - first_at > 0.2 && write(STDERR_FILENO, text, n) < 0) stay = NULL; // the terminal is gone
      return;
    }
    if (now - first_at > 0.2) _exit(number == SIGTERM ? REG_TERMINATED : REG_INTERRUPTED);
    return;
  }
  if (number == SIGTERM) terminated = 1;
  first_at = now;
  interrupted = 1;
}

volatile int *reg_signals_install(void) {
  interrupted = 0;
  struct sigaction action = {.sa_handler = on_signal};
  sigemptyset(&action.sa_mask);
  sigaddset(&action.sa_mask, SIGINT);
  sigaddset(&action.sa_mask, SIGTERM);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  return &interrupted;
}

void reg_signals_stay(const char *text) { stay = text; }

static void on_checkpoint(int number) {
  (void)number;
  checkpoint_asked = 1;
}

volatile int *reg_signals_checkpoint(void) {
  struct sigaction action = {.sa_handler = on_checkpoint, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  sigaction(SIGUSR1, &action, NULL);
  return &checkpoint_asked;
}

int reg_signals_exit_code(int code) { return code == REG_INTERRUPTED && terminated ? REG_TERMINATED : code; }
