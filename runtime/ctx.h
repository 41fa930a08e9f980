// A context: the threads and counters of one run. Used from the thread that made it.
#ifndef REG_CTX_H
#define REG_CTX_H
#include "reg/abi.h"
#include "reg/train.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Worker {
  struct reg_ctx *ctx;
  pthread_t thread;
  int index; // 1..threads-1; 0 is the caller
} Worker;

typedef struct Share {
  _Alignas(64) _Atomic uint64_t word;
} Share;

struct reg_ctx {
  int threads;
  bool profile;
  double gemm_s;       // inside reg_gemm, while `profile`
  reg_fault fault;     // of the last compiled function that ended early
  unsigned float_mode; // the owner's, before the context
  int64_t spin_ns;     // how long a waiting thread spins before it sleeps
  Worker *workers;     // threads - 1
  // The region at hand: written by the caller before it raises `generation`.
  reg_piece_fn fn;
  void *const *slots;
  int64_t pieces, unit;
  Share *shares;                  // one a thread
  double alone_until, wake_after; // by the clock of reg_now
  atomic_bool stop;
  // Each side's own cache line: workers wait on the first, the caller on the second.
  _Alignas(64) atomic_uint generation;
  atomic_int sleepers;
  _Alignas(64) atomic_uint remaining;
  atomic_int caller_sleeps;
};
#endif
