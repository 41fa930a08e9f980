// The thread pool. In: a function over pieces 0..n-1. Out: all pieces done. Thread t of T runs the contiguous
// pieces [t n / T, (t + 1) n / T), so a piece's data stay with its thread from region to region; the caller
// is thread 0.
//
// A region costs one write that the workers spin on and one counter that the caller spins on. Spinning is
// bounded in time and ends in a futex; where there are more threads than processors nobody spins. Denormals
// are flushed to zero on every thread of the pool and, from reg_ctx_new to reg_ctx_free, on the caller: an
// element's bits cannot depend on the thread that computed it.
#include "ctx.h"
#include "reg/train.h"
#include "support.h"
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { SPIN_NS = 50000, SPINS_BETWEEN_CLOCKS = 64, QUIET_ROUNDS = 4 };

static void relax(void) {
#if defined(__x86_64__)
  _mm_pause();
#else
  sched_yield();
#endif
}

// Flush to zero (bit 15) and denormals are zero (bit 6) of MXCSR. Returns the mode before.
static unsigned flush_denormals(void) {
#if defined(__x86_64__)
  unsigned before = _mm_getcsr();
  _mm_setcsr(before | 0x8040u);
  return before;
#else
  return 0;
#endif
}

static void restore_float_mode(unsigned mode) {
#if defined(__x86_64__)
  _mm_setcsr(mode);
#else
  (void)mode;
#endif
}

static void futex_wait(atomic_uint *word, unsigned value) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(atomic_uint *word, int threads) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, threads, NULL, NULL, 0);
}

// Spins while *word == value, for at most spin_ns; after a few microseconds it offers the processor to
// whoever is ready, who may be the very thread that is waited for. Whether the word has changed.
static bool spin_until_not(atomic_uint *word, unsigned value, int64_t spin_ns) {
  if (atomic_load_explicit(word, memory_order_acquire) != value) return true;
  if (spin_ns <= 0) return false;
  double end = reg_now() + 1e-9 * (double)spin_ns;
  for (int round = 0;; round++) {
    for (int i = 0; i < SPINS_BETWEEN_CLOCKS; i++) {
      relax();
      if (atomic_load_explicit(word, memory_order_acquire) != value) return true;
    }
    if (reg_now() >= end) return false;
    if (round >= QUIET_ROUNDS) sched_yield();
  }
}

static void run_share(reg_ctx *c, int t) {
  int64_t n = c->pieces, begin = n * t / c->threads, end = n * (t + 1) / c->threads;
  if (begin < end) c->fn(c->slots, begin, end);
}

// No wake-up is lost: a worker counts itself among the sleepers before the kernel compares `generation` with
// what it saw, and the caller raises `generation` before it looks at the sleepers; both in one total order.
static void *work(void *argument) {
  Worker *w = argument;
  reg_ctx *c = w->ctx;
  unsigned seen = 0;
  flush_denormals();
  for (;;) {
    while (!spin_until_not(&c->generation, seen, c->spin_ns)) {
      atomic_fetch_add(&c->sleepers, 1);
      futex_wait(&c->generation, seen);
      atomic_fetch_sub(&c->sleepers, 1);
    }
    seen++; // the caller waits for every worker before the next region, so none is skipped
    if (c->stop) return NULL;
    run_share(c, w->index);
    if (atomic_fetch_sub(&c->remaining, 1) == 1 && atomic_load(&c->caller_sleeps))
      futex_wake(&c->remaining, 1);
  }
}

static void release_workers(reg_ctx *c) {
  atomic_fetch_add(&c->generation, 1);
  if (atomic_load(&c->sleepers)) futex_wake(&c->generation, c->threads);
}

static void wait_for_workers(reg_ctx *c) {
  unsigned left;
  while ((left = atomic_load_explicit(&c->remaining, memory_order_acquire))) {
    if (spin_until_not(&c->remaining, left, c->spin_ns)) continue;
    atomic_store(&c->caller_sleeps, 1);
    left = atomic_load(&c->remaining);
    if (left) futex_wait(&c->remaining, left);
    atomic_store(&c->caller_sleeps, 0);
  }
}

void reg_parallel(reg_ctx *c, reg_piece_fn fn, void *const *slots, int64_t pieces) {
  if (pieces <= 0) return;
  if (pieces == 1 || c->threads == 1) {
    fn(slots, 0, pieces);
    return;
  }
  c->fn = fn;
  c->slots = slots;
  c->pieces = pieces;
  atomic_store_explicit(&c->remaining, (unsigned)(c->threads - 1), memory_order_relaxed);
  release_workers(c);
  run_share(c, 0);
  wait_for_workers(c);
}

static int processors(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n > 0 ? (int)n : 1;
}

// Fewer workers than asked for where the system refuses a thread, or its memory: the results are the same.
reg_ctx *reg_ctx_new(int threads) {
  int available = processors();
  if (threads <= 0) threads = available;
  if (threads > 1024) threads = 1024;
  threads = reg_blas_threads(threads);
  if (threads == 0) return NULL;
  reg_ctx *c = aligned_alloc(64, (sizeof *c + 63) / 64 * 64);
  if (!c) return NULL;
  *c = (reg_ctx){.threads = 1, .spin_ns = threads > available ? 0 : SPIN_NS};
  c->workers = calloc((size_t)threads, sizeof *c->workers);
  if (!c->workers) {
    free(c);
    return NULL;
  }
  c->float_mode = flush_denormals();
  for (int t = 1; t < threads; t++) {
    Worker *w = &c->workers[t - 1];
    *w = (Worker){.ctx = c, .index = t};
    if (pthread_create(&w->thread, NULL, work, w) != 0) break;
    c->threads = t + 1; // workers read it only inside a region
  }
  return c;
}

void reg_ctx_free(reg_ctx *c) {
  if (!c) return;
  c->stop = true;
  release_workers(c);
  for (int t = 1; t < c->threads; t++) pthread_join(c->workers[t - 1].thread, NULL);
  restore_float_mode(c->float_mode);
  free(c->workers);
  free(c);
}

int reg_ctx_threads(const reg_ctx *c) { return c->threads; }
