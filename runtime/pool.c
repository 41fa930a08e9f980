// The thread pool. In: a function over pieces 0..n-1. Out: all pieces done. The pieces are dealt out in
// contiguous shares, the same from region to region, so that a piece's data stay with its thread; a thread
// that is done with its share takes from the others'. The caller is thread 0, and does everything where no
// worker comes in time.
//
// A region costs one write that the workers spin on and one counter that the caller spins on. Spinning is
// bounded in time and ends in a futex; where there are more threads than processors nobody spins. Where other
// processes want the processors, a worker may lose its own in the middle of a piece, for which the caller
// must wait: it then works alone for a multiple of the time that it waited. A worker that is woken may come
// too late, and has spun for nothing: until a multiple of that time is over, or a worker has helped, nobody
// is woken. So little of the time is lost however busy the machine is.
//
// Denormals are flushed to zero on every thread of the pool and, from reg_ctx_new to reg_ctx_free, on the
// caller: an element's bits cannot depend on the thread that computed it.
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
enum { MOST_UNITS = 0xffff };           // of one share
static const double alone_for = 40;     // times what was lost
static const double patience_s = 20e-6; // a wait below it, or below twice the caller's own work, is no loss

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

// -- shares: the region's number (32 bits), the next unit and the end (16 bits each) in one word, so that a
// unit can be taken only of the region that it is meant for. A unit is one piece, or several where there are
// many.

static uint64_t share_word(unsigned region, int64_t next, int64_t end) {
  return (uint64_t)region << 32 | (uint64_t)next << 16 | (uint64_t)end;
}

// The next unit of thread t's share, or -1. The region cannot end before a unit that was taken is done.
static int64_t take_unit(reg_ctx *c, unsigned region, int t) {
  uint64_t word = atomic_load_explicit(&c->shares[t].word, memory_order_acquire);
  for (;;) {
    const int64_t next = word >> 16 & 0xffff, end = word & 0xffff;
    if (word >> 32 != region || next >= end) return -1;
    if (atomic_compare_exchange_weak_explicit(&c->shares[t].word, &word, word + (1u << 16),
                                              memory_order_acq_rel, memory_order_acquire))
      return next;
  }
}

static void run_unit(const reg_ctx *c, int64_t unit) {
  const int64_t begin = unit * c->unit, end = begin + c->unit;
  c->fn(c->slots, begin, end < c->pieces ? end : c->pieces);
}

// Whatever is left of all shares, one's own first. The number of units done.
static unsigned work_on(reg_ctx *c, unsigned region, int me) {
  unsigned done = 0;
  for (int i = 0; i < c->threads; i++) {
    const int t = (me + i) % c->threads;
    for (int64_t unit; (unit = take_unit(c, region, t)) >= 0; done++) run_unit(c, unit);
  }
  return done;
}

// The kernel puts a worker to sleep only if `generation` is what it saw. One that counts itself among the
// sleepers after the caller has looked there sleeps through a region, never through the end.
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
    seen = atomic_load_explicit(&c->generation, memory_order_acquire);
    if (atomic_load_explicit(&c->stop, memory_order_relaxed)) return NULL;
    const unsigned done = work_on(c, seen, w->index);
    if (done && atomic_fetch_sub(&c->remaining, done) == done && atomic_load(&c->caller_sleeps))
      futex_wake(&c->remaining, 1);
  }
}

// A worker that falls asleep at this moment sees the new generation, or sleeps through the region: then
// others do its share.
static void release_workers(reg_ctx *c, bool wake) {
  atomic_fetch_add(&c->generation, 1);
  if (wake) futex_wake(&c->generation, c->threads);
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

// Units 0..n-1 dealt out for the next region, whose number is returned.
static unsigned deal(reg_ctx *c, int64_t units) {
  const unsigned region = atomic_load_explicit(&c->generation, memory_order_relaxed) + 1;
  atomic_store_explicit(&c->remaining, (unsigned)units, memory_order_relaxed);
  for (int t = 0; t < c->threads; t++)
    atomic_store_explicit(&c->shares[t].word,
                          share_word(region, units * t / c->threads, units * (t + 1) / c->threads),
                          memory_order_release);
  return region;
}

void reg_parallel(reg_ctx *c, reg_piece_fn fn, void *const *slots, int64_t pieces) {
  if (pieces <= 0) return;
  const double start = pieces > 1 && c->threads > 1 ? reg_now() : 0;
  const int asleep = atomic_load_explicit(&c->sleepers, memory_order_relaxed);
  const bool wake = asleep > 0 && start >= c->wake_after;
  if (pieces == 1 || c->threads == 1 || start < c->alone_until || (!wake && asleep == c->threads - 1)) {
    fn(slots, 0, pieces);
    return;
  }
  c->fn = fn;
  c->slots = slots;
  c->pieces = pieces;
  c->unit = (pieces + MOST_UNITS - 1) / MOST_UNITS;
  const unsigned units = (unsigned)((pieces + c->unit - 1) / c->unit), region = deal(c, units);
  release_workers(c, wake);
  const double released = reg_now();
  const unsigned own = work_on(c, region, 0);
  const double done = reg_now();
  if (own == units) {
    if (wake) c->wake_after = done + alone_for * (released - start + 1e-9 * (double)c->spin_ns);
    return;
  }
  c->wake_after = 0;
  if (atomic_fetch_sub(&c->remaining, own) == own) return;
  wait_for_workers(c);
  const double waited = reg_now() - done;
  if (waited > 2 * (done - released) + patience_s) c->alone_until = done + alone_for * waited;
}

int reg_processors(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n > 0 ? (int)n : 1;
}

// Fewer workers than asked for where the system refuses a thread, or its memory: the results are the same.
reg_ctx *reg_ctx_new(int threads) {
  int available = reg_processors();
  if (threads <= 0) threads = available;
  if (threads > 1024) threads = 1024;
  threads = reg_blas_threads(threads);
  if (threads == 0) return NULL;
  reg_ctx *c = aligned_alloc(64, (sizeof *c + 63) / 64 * 64);
  if (!c) return NULL;
  *c = (reg_ctx){.threads = 1, .spin_ns = threads > available ? 0 : SPIN_NS};
  c->workers = calloc((size_t)threads, sizeof *c->workers);
  c->shares = aligned_alloc(64, (size_t)threads * sizeof *c->shares);
  if (!c->workers || !c->shares) {
    free(c->workers);
    free(c->shares);
    free(c);
    return NULL;
  }
  for (int t = 0; t < threads; t++) atomic_init(&c->shares[t].word, 0);
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
  atomic_store_explicit(&c->stop, true, memory_order_relaxed);
  release_workers(c, true);
  for (int t = 1; t < c->threads; t++) pthread_join(c->workers[t - 1].thread, NULL);
  restore_float_mode(c->float_mode);
  free(c->workers);
  free(c->shares);
  free(c);
}

int reg_ctx_threads(const reg_ctx *c) { return c->threads; }
