// `sweep`: the same statements many times. In: the store as it is. Out: what is kept of each run, in the
// store; the table; an event for each run. A run is a Run of its own, over a copy of the store, on one
// thread, so that it has the bits that it has alone; as many act at once as there are threads. It writes a
// checkpoint of its own, beside that of the run around, and goes on from it.
#include "train/sweep.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

int32_t *sweep_state(const Run *r, const reg_sweep *s, int64_t run) {
  return (int32_t *)r->store[s->state] + run * RUN_COLUMNS;
}

// -- one run

static void keep_report(void *user, const reg_event *e) {
  Single *one = user;
  flight_event(one, e);
  if (e->kind == REG_EVENT_EPOCH) curve_epoch(&one->own, e);
  if (e->kind != REG_EVENT_REPORT) return;
  Text name = {0};
  sweep_label(one->of->r, one->of->s, one->run, &name);
  reg_text_format(&name, ": %s", e->name);
  const Told told = {.report = e->report,
                     .name = name.data,
                     .values = (const void **)e->values,
                     .rows = e->rows,
                     .at = e->points ? e->points : e->at,
                     .nrows = e->nrows,
                     .chosen = e->chosen};
  if (name.failed)
    reg_no_memory(&one->st, 0);
  else
    told_add(&one->own, &told);
  reg_text_free(&name);
}

// Of this sweep's own results a run knows nothing.
static bool is_result(const reg_sweep *s, int stored) {
  bool own = stored == s->state || stored == s->at;
  for (int i = 0; i < s->nkept && !own; i++) own = s->kept[i].to == stored;
  return own;
}

static int take_over(Single *one) {
  Run *own = &one->own;
  const Run *r = one->of->r;
  int code = store_new(own);
  for (int i = 0; i < r->program->nstore && !code; i++) {
    if (!r->store[i] || is_result(one->of->s, i)) continue;
    if (!store_take(own, i)) return own->st->code;
    memcpy(own->store[i], r->store[i], reg_tensor_bytes(&r->program->store[i]));
    own->initial[i] = r->initial[i];
  }
  return code;
}

static int set_axes(Single *one) {
  const reg_sweep *s = one->of->s;
  for (int i = 0; i < s->naxes; i++) {
    const reg_axis *x = &s->axes[i];
    if (x->value < 0) continue;
    const double number = sweep_at(one->of->r, s, one->run)[i];
    if (!store_take(&one->own, x->value)) return one->st.code;
    reg_number_put(one->own.store[x->value], one->own.program->store[x->value].dtype, 0, number);
    if (x->seed) one->options.seed = (uint64_t)number, one->options.has_seed = true;
  }
  return REG_OK;
}

// Beside that of the run around: "checkpoint-path-1-3.safetensors" of the third run of the sweep's first act.
static int own_checkpoint(Single *one) {
  const Run *r = one->of->r;
  const int stem = (int)(strlen(r->checkpoint) - strlen(".safetensors"));
  if (asprintf(&one->own.checkpoint, "%.*s-%s-%lld-%lld.safetensors", stem, r->checkpoint, one->of->s->name,
               (long long)r->sweep_acts[one->of->index], (long long)one->run + 1) < 0) {
    one->own.checkpoint = NULL;
    return reg_no_memory(&one->st, 0);
  }
  return REG_OK;
}

static int prepare(Single *one, Sweeping *w, int64_t run, reg_ctx *ctx, Scratch *scratch) {
  const Run *r = w->r;
  const reg_variant *v = &w->s->variants[sweep_variant(r, w->s, run)];
  *one = (Single){.of = w, .run = run, .options = w->options};
  one->options.sink_user = one;
  one->own = (Run){.program = r->program,
                   .options = &one->options,
                   .ctx = ctx,
                   .scratch = scratch,
                   .st = &one->st,
                   .start = reg_now(),
                   .around = r->around,
                   .inner = r->inner,
                   .sweeps = r->sweeps + 1,
                   .guard = w->guard,
                   .share = w->share < 1 ? w->share : 0,
                   .stages = v->body,
                   .nstages = v->nbody,
                   .asked = r->asked,
                   .parent = r->parent,
                   .lock = -1,
                   .metrics = -1};
  one->own.checkpointed = one->own.start;
  one->own.reports_end = &one->own.reports;
  int code = take_over(one);
  if (!code) code = set_axes(one);
  return code || !r->checkpoint ? code : own_checkpoint(one);
}

static int round_of(const Single *one) { return sweep_state(one->of->r, one->of->s, one->run)[RUN_ROUNDS]; }

// What another process has made of it, or where it is itself.
static int find_place(Single *one, bool *over) {
  Run *own = &one->own;
  const int code = one->of->r->ranks ? ranks_read(own, round_of(one), over) : REG_OK;
  return code || *over || !own->checkpoint ? code : checkpoint_read(own);
}

static int leave(Single *one, int code) {
  if (!code) code = one->st.code;
  if (!one->of->r->ranks || (code && !is_own_error(one->of, one, code))) return code;
  const int written = ranks_write(&one->own, round_of(one), code);
  return written ? written : code;
}

// Those that go on from a checkpoint are where no other is.
static void run_some(Single *ones, int *codes, int n) {
  Run *of[MOST_TOGETHER];
  int ended[MOST_TOGETHER], at[MOST_TOGETHER], fresh = 0;
  for (int i = 0; i < n; i++) {
    Run *own = &ones[i].own;
    bool over = false;
    if (!codes[i]) codes[i] = find_place(&ones[i], &over);
    if (codes[i] || over) continue;
    if (own->returning)
      codes[i] = leave(&ones[i], stages_run(own, own->stages, own->nstages));
    else
      of[fresh] = own, at[fresh++] = i;
  }
  if (fresh) stages_together(of, ended, fresh, of[0]->stages, of[0]->nstages);
  for (int i = 0; i < fresh; i++) codes[at[i]] = leave(&ones[at[i]], ended[i]);
}

static void free_one(Single *one) {
  checkpoint_clear(&one->own, false);
  free(one->own.checkpoint);
  reg_heap_free(&one->own.heap);
  free(one->own.places);
}

// -- all of them

// What a step goes over stays in a core's cache from run to run; and each thread of each process gets its
// share.
static int most_together(const Sweeping *w, int64_t run) {
  enum { CACHED = 3 << 19 };
  const int64_t bytes = together_bytes(w->r->program, &w->s->variants[sweep_variant(w->r, w->s, run)]);
  const int working = w->working * (w->r->ranks ? w->r->ranks : 1);
  const int64_t share = (w->nround - w->next + working - 1) / working;
  int64_t most = bytes && !w->options.inspect ? CACHED / bytes : 1;
  if (most > share) most = share;
  return most < 1 ? 1 : most > MOST_TOGETHER ? MOST_TOGETHER : (int)most;
}

// Same statements, same seed: their rows and draws are the same.
static bool are_alike(const Sweeping *w, int64_t one, int64_t other) {
  const reg_sweep *s = w->s;
  bool alike = sweep_variant(w->r, s, one) == sweep_variant(w->r, s, other);
  for (int i = 0; i < s->naxes && alike; i++)
    if (s->axes[i].seed) alike = sweep_at(w->r, s, one)[i] == sweep_at(w->r, s, other)[i];
  return alike;
}

// Of a round that has one: its next run, and others that can be made together with it, but for those that
// another process acts for.
static int take_alike(Sweeping *w, int64_t *runs) {
  const int64_t first = w->round[w->next];
  const int most = most_together(w, first);
  int n = 0;
  for (int64_t i = w->next; i < w->nround && n < most; i++) {
    const int64_t run = w->round[i];
    if (!are_alike(w, first, run)) continue;
    memmove(&w->round[w->next + 1], &w->round[w->next], (size_t)(i - w->next) * sizeof *w->round);
    w->next++;
    if (ranks_claim(w->r, w->index, run))
      runs[n++] = run;
    else
      w->round[w->others++] = run;
  }
  w->flying += n;
  return n;
}

// Under the lock; how many: 0: there is none. Behind the last one of a round it waits until that is over.
static int take_some(Sweeping *w, int64_t *runs) {
  while (!w->code && !is_interrupted(w->r)) {
    if (w->next < w->nround) {
      const int n = take_alike(w, runs);
      if (n) return n;
      continue;
    }
    if (w->others) {
      w->nround = w->others;
      w->next = w->others = 0;
      pthread_mutex_unlock(&w->lock);
      usleep(10000);
      pthread_mutex_lock(&w->lock);
      continue;
    }
    if (w->flying) {
      pthread_cond_wait(&w->landed, &w->lock);
      continue;
    }
    w->next = 0;
    w->nround = next_round(w);
    if (!w->nround) break;
  }
  return 0;
}

static void end_some(Sweeping *w, Single *ones, const int *codes, int n) {
  for (int i = 0; i < n; i++) {
    flight_ends(&ones[i]);
    const int code = run_is_over(w, &ones[i], codes[i]);
    if (!code || w->code) continue;
    w->code = code;
    w->ended = ones[i].st.code == code ? ones[i].st : *w->r->st;
  }
  for (int i = 0; i < n; i++) {
    free_one(&ones[i]);
    ranks_release(w->r, w->index, ones[i].run);
  }
  w->flying -= n;
  pthread_cond_broadcast(&w->landed);
}

static void *work(void *argument) {
  Sweeping *w = argument;
  const NumberLocale numbers = reg_numbers_enter();
  reg_ctx *ctx = reg_ctx_new(w->threads);
  Single *ones = calloc(MOST_TOGETHER, sizeof *ones);
  Scratch scratch = {0};
  int64_t runs[MOST_TOGETHER];
  int codes[MOST_TOGETHER];
  pthread_mutex_lock(&w->lock);
  for (int n; ctx && ones && (n = take_some(w, runs)) > 0;) {
    pthread_mutex_unlock(&w->lock);
    for (int i = 0; i < n; i++) codes[i] = prepare(&ones[i], w, runs[i], ctx, &scratch);
    for (int i = 0; i < n; i++) flight_begins(&ones[i]);
    run_some(ones, codes, n);
    pthread_mutex_lock(&w->lock);
    end_some(w, ones, codes, n);
  }
  pthread_mutex_unlock(&w->lock);
  reg_heap_free(&scratch.memory);
  free(ones);
  reg_ctx_free(ctx);
  reg_numbers_leave(numbers);
  return NULL;
}

// As much stack as the main thread may take: what it compiles, they compile too.
static void stack_as_main(pthread_attr_t *a) {
  const rlim_t most = (rlim_t)128 << 20;
  struct rlimit limit;
  if (!getrlimit(RLIMIT_STACK, &limit))
    pthread_attr_setstacksize(a, (size_t)(limit.rlim_cur > most ? most : limit.rlim_cur));
}

// Fewer where the system refuses a thread. What looks at each step is asked by one thread.
static void work_on(Sweeping *w) {
  enum { MOST = 256 };
  pthread_t others[MOST];
  pthread_attr_t attributes;
  const int64_t left = w->s->nruns - w->done;
  int all = w->r->ctx->threads, n = 0;
  if (all > left) all = left > 0 ? (int)left : 1;
  if (all > MOST || w->options.inspect) all = w->options.inspect ? 1 : MOST;
  w->threads = w->r->ctx->threads / all;
  w->working = all;
  if (pthread_attr_init(&attributes) == 0) {
    stack_as_main(&attributes);
    while (n < all - 1 && pthread_create(&others[n], &attributes, work, w) == 0) n++;
    pthread_attr_destroy(&attributes);
  }
  work(w);
  for (int i = 0; i < n; i++) pthread_join(others[i], NULL);
}

static double nothing_yet(reg_dtype t) { return t == REG_F32 || t == REG_F64 ? NAN : 0; }

static int take_results(Run *r, const reg_sweep *s, bool begins) {
  if (!store_take(r, s->state) || !store_take(r, s->at)) return r->st->code;
  if (begins) memset(r->store[s->state], 0, reg_tensor_bytes(&r->program->store[s->state]));
  for (int i = 0; i < s->nkept; i++) {
    const reg_tensor *t = &r->program->store[s->kept[i].to];
    if (!store_take(r, s->kept[i].to)) return r->st->code;
    for (int64_t k = 0; begins && k < t->count; k++)
      reg_number_put(r->store[s->kept[i].to], t->dtype, k, nothing_yet(t->dtype));
  }
  for (int i = 0; i < s->naxes; i++) {
    const reg_axis *x = &s->axes[i];
    if (x->all < 0) continue;
    if (!store_take(r, x->all)) return r->st->code;
    for (int k = 0; k < r->program->store[x->all].count && begins; k++)
      reg_number_put(r->store[x->all], REG_F64, k, s->search == REG_SEARCH_TPE ? NAN : x->numbers[k]);
  }
  for (int64_t run = 0; run < s->nruns && begins; run++)
    for (int i = 0; i < s->naxes; i++) {
      const int64_t place = reg_sweep_value(s, i, run);
      const double known = s->axes[i].nnumbers ? s->axes[i].numbers[place] : (double)place;
      sweep_at(r, s, run)[i] = s->search == REG_SEARCH_TPE ? 0 : known;
    }
  return REG_OK;
}

static bool is_ended(const int32_t *state) {
  return state[RUN_ENDED] != RUN_MISSING && state[RUN_ENDED] != RUN_PAUSED;
}

static int begin(Run *r, Sweeping *w) {
  const reg_sweep *s = w->s;
  const bool begins = place(r)->turn == 0;
  if (r->options->evaluate_only)
    return reg_fail(r->st, REG_BAD_DATA, "weights_bad", "the runs of the sweep `%s` left no weights",
                    s->name);
  int code = take_results(r, s, begins);
  if (begins) {
    r->sweep_acts[w->index]++;
    reasons_forget(r, w->index);
  }
  place(r)->turn = 1;
  for (int64_t i = 0; i < s->nruns && !code; i++) w->done += is_ended(sweep_state(r, s, i));
  if (!code && !(w->round = calloc((size_t)s->nruns, sizeof *w->round)))
    code = reg_no_memory(r->st, (size_t)s->nruns * sizeof *w->round);
  return code;
}

static int finish(Run *r, Sweeping *w) {
  const reg_sweep *s = w->s;
  if (w->code) *r->st = w->ended;
  const bool interrupted = is_interrupted(r);
  if (w->done < s->nruns && interrupted && (!w->code || w->code == REG_INTERRUPTED)) {
    const int code = checkpoint_write(r);
    return code ? code
                : reg_fail(r->st, REG_INTERRUPTED, "interrupted",
                           "interrupted after %lld of %lld runs of `%s`", (long long)w->done,
                           (long long)s->nruns, s->name);
  }
  if (w->code) return w->code;
  if (w->done < s->nruns) return reg_no_memory(r->st, 0);
  reg_event e = {
      .kind = REG_EVENT_SWEEP, .sweep = s, .act = r->sweep_acts[w->index], .seconds = reg_now() - w->start};
  for (int64_t i = 0; i < s->nruns; i++) {
    e.diverged += sweep_state(r, s, i)[RUN_ENDED] == RUN_DIVERGED;
    e.failed += sweep_state(r, s, i)[RUN_ENDED] == RUN_FAILED;
  }
  const int code = sweep_table(r, w->index);
  if (!code) send_event(r, &e);
  return code;
}

int sweep_stage(Run *r, const reg_stage *stage) {
  const reg_sweep *s = &r->program->sweeps[stage->index];
  Sweeping w = {.r = r,
                .s = s,
                .index = stage->index,
                .options = *r->options,
                .start = reg_now(),
                .share = 1,
                .guard = r->guard};
  w.options.sink = keep_report;
  w.options.begin = NULL;
  w.options.end = NULL;
  w.options.kept = NULL;
  w.options.keep = NULL;
  w.options.step_events = false;
  pthread_mutex_init(&w.lock, NULL);
  pthread_mutex_init(&w.own_guard, NULL);
  pthread_cond_init(&w.landed, NULL);
  if (!w.guard) w.guard = &w.own_guard;
  int code = begin(r, &w);
  if (!code) {
    work_on(&w);
    code = finish(r, &w);
  }
  free(w.round);
  pthread_cond_destroy(&w.landed);
  pthread_mutex_destroy(&w.own_guard);
  pthread_mutex_destroy(&w.lock);
  return code;
}
