// Events as text on standard error. In: reg_event. Out: with a terminal, one table a training with a row for
// each pass and below it a live line with bar, rate and time left; without one, a line for each pass.
#include "reg/console.h"
#include "reg/events.h"
#include "support.h"
#include "text/text.h"
#include <stdlib.h>
#include <string.h>

enum { REDRAW_MS = 80, COLUMN = 11, CELLS = 20 };

void reg_console_init(reg_console *c, reg_terminal out, reg_terminal err, const char *progress, bool json) {
  bool automatic = !progress || !strcmp(progress, "auto");
  *c = (reg_console){.out = out, .err = err, .json = json};
  c->bar = automatic ? err.live : !strcmp(progress, "bar");
  c->plain = automatic ? !err.live : !strcmp(progress, "plain");
}

static const char *paint(const reg_console *p, const char *code) { return p->err.color ? code : ""; }

static void clear_live(reg_console *p) {
  if (!p->live_shown) return;
  for (int i = 1; i < p->live_shown; i++) fputs("\r\033[K\033[A", stderr);
  fputs("\r\033[K", stderr);
  p->live_shown = 0;
}

// Seconds as 4.2 s, 3:07, 2:05:00.
static const char *duration(char out[32], double s) {
  long long whole = s < 1e15 ? (long long)s : 0;
  if (s < 60)
    snprintf(out, 32, "%.1f s", s);
  else if (s < 3600)
    snprintf(out, 32, "%lld:%02lld", whole / 60, whole % 60);
  else
    snprintf(out, 32, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
  return out;
}

static void draw_bar(const reg_console *p, double share) {
  static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const int cells = CELLS;
  int filled = (int)(share * cells * 8);
  if (p->err.utf8) {
    for (int i = 0; i < filled / 8; i++) fputs("█", stderr);
    fputs(filled % 8 ? eighths[filled % 8] : "", stderr);
    fprintf(stderr, "%*s", cells - filled / 8 - (filled % 8 ? 1 : 0), "");
  } else {
    for (int i = 0; i < cells; i++) fputc(i < filled / 8 ? '#' : '.', stderr);
  }
}

// Behind so many characters; a line that wraps cannot be drawn over.
static void put_line(const reg_console *p, const char *line, int before) {
  const int room = p->err.width - before - 1;
  fprintf(stderr, "%.*s", room > 0 ? room : 0, line);
}

static void live_line(reg_console *p, const reg_event *e) {
  double now = reg_now();
  if (!p->bar || e->steps <= 0 || (p->live_shown && now - p->drawn < REDRAW_MS * 1e-3)) return;
  char left[32];
  double rate = e->seconds > 0 ? (double)(e->step - p->first_step) / e->seconds : 0;
  p->drawn = now;
  clear_live(p);
  p->live_shown = 1;
  draw_bar(p, (double)e->step / (double)e->steps);
  char line[160];
  Text text = reg_text_in(line, sizeof line);
  reg_text_format(&text, " epoch %lld/%lld  %.0f steps/s  ", (long long)e->epoch + 1, (long long)e->epochs,
                  rate);
  if (rate > 0) reg_text_format(&text, "%s left  ", duration(left, (double)(e->steps - e->step) / rate));
  reg_text_format(&text, "loss %.4g", e->loss);
  put_line(p, line, CELLS);
  fflush(stderr);
}

static int column(const char *name) {
  int wanted = (int)strlen(name) + 2;
  return wanted > COLUMN ? wanted : COLUMN;
}

static void head(const char *name) { fprintf(stderr, "%*s", column(name), name); }
static void cell(const char *name, double v) { fprintf(stderr, "%*.4g", column(name), v); }

static void table_head(reg_console *p, const reg_event *e) {
  const reg_train *t = e->train;
  p->headed = t;
  fprintf(stderr, "%s%6s", paint(p, "\033[1m"), "epoch");
  head("loss");
  for (int i = 0; i < t->nterms; i++) head(t->terms[i]);
  if (e->has_valid) {
    head("valid loss");
    for (int i = 0; i < t->nmetrics; i++) head(t->metrics[i]);
  }
  head("time");
  fprintf(stderr, "%s\n", paint(p, "\033[0m"));
}

static void table_row(reg_console *p, const reg_event *e) {
  const reg_train *t = e->train;
  char time[32];
  clear_live(p);
  if (p->headed != t) table_head(p, e);
  fprintf(stderr, "%6lld", (long long)e->epoch);
  cell("loss", e->loss);
  for (int i = 0; i < t->nterms; i++) cell(t->terms[i], e->terms[i]);
  if (e->has_valid) {
    cell("valid loss", e->valid_loss);
    for (int i = 0; i < t->nmetrics; i++) cell(t->metrics[i], e->valid_metrics[i]);
  }
  fprintf(stderr, "%*s", COLUMN, duration(time, e->seconds));
  fprintf(stderr, e->best ? "  %sbest%s\n" : "\n", paint(p, "\033[32m"), paint(p, "\033[0m"));
}

static void plain_row(const reg_event *e) {
  const reg_train *t = e->train;
  char time[32];
  char act[24];
  fprintf(stderr, "%s%s epoch %lld/%lld  loss %.4g", t->name, reg_console_act(e, act), (long long)e->epoch,
          (long long)e->epochs, e->loss);
  for (int i = 0; i < t->nterms; i++) fprintf(stderr, "  %s %.4g", t->terms[i], e->terms[i]);
  if (e->has_valid) {
    fprintf(stderr, "  valid loss %.4g", e->valid_loss);
    for (int i = 0; i < t->nmetrics; i++)
      fprintf(stderr, "  valid %s %.4g", t->metrics[i], e->valid_metrics[i]);
  }
  fprintf(stderr, "  %s%s\n", duration(time, e->seconds), e->best ? "  best" : "");
}

static void train_start(const reg_console *p, const reg_event *e) {
  const reg_train *t = e->train;
  int64_t elements = 0;
  for (int i = 0; i < t->nparams; i++) elements += t->params[i].count;
  char act[24];
  fprintf(stderr, "%strain %s%s%s on %s: %lld parameters, ", paint(p, "\033[1m"), t->name,
          reg_console_act(e, act), paint(p, "\033[0m"), t->data_name, (long long)elements);
  if (t->nblocks)
    fprintf(stderr, "%lld rows", (long long)t->batch);
  else
    fprintf(stderr, "batch %lld, up to %lld epochs (%lld steps)", (long long)t->batch, (long long)e->epochs,
            (long long)e->steps);
  if (e->epochs_before)
    fprintf(stderr, "; goes on from epoch %lld of a training for %lld, schedules are those of the new length",
            (long long)e->epoch, (long long)e->epochs_before);
  fputc('\n', stderr);
}

static void train_end(const reg_console *p, const reg_event *e) {
  char time[32];
  fprintf(stderr, "%s%s%s after ", paint(p, "\033[1m"), e->reason ? e->reason : "finished",
          paint(p, "\033[0m"));
  if (e->solved)
    fprintf(stderr, "%lld passes, gap %.2g, %lld parameters that are not 0, ", (long long)e->solved->passes,
            e->solved->gap, (long long)e->solved->active);
  else
    fprintf(stderr, "%lld epochs, %lld steps, ", (long long)e->epoch, (long long)e->step);
  fputs(duration(time, e->seconds), stderr);
  if (e->train->watch && e->best_epoch) fprintf(stderr, "; best epoch %lld", (long long)e->best_epoch);
  fputc('\n', stderr);
}

static bool print_json(const reg_event *e) {
  char *line = reg_event_json(e);
  if (line) puts(line);
  fflush(stdout); // whether it arrived is asked at the end
  free(line);
  return line != NULL;
}

static void put_axes(Text *to, const reg_sweep *s, const double *at) {
  for (int i = 0; i < s->naxes; i++) {
    const reg_axis *x = &s->axes[i];
    if (x->nnumbers)
      reg_text_format(to, " %s %.6g", x->name, at[i]);
    else
      reg_text_format(to, " %s %s", x->name, x->labels[(int64_t)at[i]]);
  }
}

// Of a sweep: how many runs are over, and the time left, by those of this process. Below it a line for each
// run under way, as many as there is room for.
static void live_runs(reg_console *p, const reg_event *e) {
  enum { MOST_LINES = 8 };
  const double now = reg_now();
  const int64_t all = e->sweep->nruns;
  if (!p->bar || (p->live_shown && now - p->drawn < REDRAW_MS * 1e-3)) return;
  char left[32], line[160];
  double made = 0;
  Text text = reg_text_in(line, sizeof line);
  for (int64_t i = 0; i < e->nflights; i++) made += e->flights[i].share;
  clear_live(p);
  p->drawn = now;
  draw_bar(p, ((double)e->done + made) / (double)all);
  reg_text_format(&text, " %s: %lld of %lld runs", e->sweep->name, (long long)e->done, (long long)all);
  if ((double)e->here + made > 0)
    reg_text_format(&text, "  %s left",
                    duration(left, e->seconds * ((double)(all - e->done) - made) / ((double)e->here + made)));
  put_line(p, line, CELLS);
  const int room = p->err.height - 2 < MOST_LINES ? p->err.height - 2 : MOST_LINES;
  int shown = 0;
  for (; shown < e->nflights && shown < room; shown++) {
    const reg_flight *f = &e->flights[shown];
    text = reg_text_in(line, sizeof line);
    if (shown + 1 == room && shown + 1 < e->nflights) {
      reg_text_format(&text, "  and %lld others", (long long)(e->nflights - shown));
    } else {
      reg_text_format(&text, " ");
      put_axes(&text, e->sweep, f->at);
      reg_text_format(&text, "  %s epoch %lld/%lld", f->train->name, (long long)f->epoch,
                      (long long)f->epochs);
      if (f->epoch) reg_text_format(&text, "  loss %.4g", f->loss);
    }
    fputc('\n', stderr);
    put_line(p, line, 0);
  }
  p->live_shown = 1 + shown;
  fflush(stderr);
}

static void plain_run(const reg_event *e) {
  const reg_sweep *s = e->sweep;
  fprintf(stderr, "%s run %lld of %lld ", s->name, (long long)e->done, (long long)s->nruns);
  Text axes = {0};
  put_axes(&axes, s, e->at);
  if (axes.used && !axes.failed) fputs(axes.data, stderr);
  reg_text_free(&axes);
  for (int i = 0; i < s->nkept && !e->status; i++)
    if (s->kept[i].column)
      fprintf(stderr, "  %s %.4g", s->kept[i].name,
              reg_number_at(e->values[i], e->program->store[s->kept[i].to].dtype, e->run));
  if (e->share < 1) fprintf(stderr, "  stopped after %.3g of its epochs", e->share);
  if (e->status) fprintf(stderr, "  %s", e->status->code == REG_DIVERGED ? "diverged" : e->status->text);
  fputc('\n', stderr);
}

static void sweep_end(const reg_console *p, const reg_event *e) {
  char time[32];
  fprintf(stderr, "%ssweep %s%s: %lld runs, %s", paint(p, "\033[1m"), e->sweep->name, paint(p, "\033[0m"),
          (long long)e->sweep->nruns, duration(time, e->seconds));
  if (e->diverged) fprintf(stderr, "; %lld diverged", (long long)e->diverged);
  if (e->failed) fprintf(stderr, "; %lld failed", (long long)e->failed);
  fputc('\n', stderr);
}

void reg_console_sink(void *user, const reg_event *e) {
  reg_console *p = user;
  if (p->json && e->kind != REG_EVENT_STEP && e->kind != REG_EVENT_FLIGHT && !print_json(e)) p->lost = true;
  bool shown = p->bar || p->plain;
  if (e->kind != REG_EVENT_STEP && e->kind != REG_EVENT_EPOCH && e->kind != REG_EVENT_RUN &&
      e->kind != REG_EVENT_FLIGHT)
    clear_live(p);
  switch (e->kind) {
  case REG_EVENT_TRAIN_START:
    p->first_step = e->step;
    p->headed = NULL;
    if (shown) train_start(p, e);
    break;
  case REG_EVENT_STEP: live_line(p, e); break;
  case REG_EVENT_EPOCH:
    if (p->bar) table_row(p, e);
    if (p->plain) plain_row(e);
    break;
  case REG_EVENT_TRAIN_END:
    if (shown) train_end(p, e);
    break;
  case REG_EVENT_EVALUATE:
    if (!p->json) reg_console_results(stdout, p->out, e);
    break;
  case REG_EVENT_REPORT:
    if (!p->json && e->view) reg_console_view(stdout, p->out, e);
    if (!p->json && !e->view) reg_console_report(stdout, p->out, e);
    break;
  case REG_EVENT_FLIGHT: live_runs(p, e); break;
  case REG_EVENT_RUN:
    live_runs(p, e);
    if (p->plain) plain_run(e);
    break;
  case REG_EVENT_SWEEP:
    if (shown) sweep_end(p, e);
    break;
  case REG_EVENT_ERROR: break; // reg_run's status says it once
  }
}

void reg_console_error(const reg_status *st) {
  print_json(&(reg_event){.kind = REG_EVENT_ERROR, .status = st});
}

void reg_console_status(const reg_console *c, const reg_status *st) {
  if (!st->text[0] || st->code == REG_INTERRUPTED || !strcmp(st->name, "rejected")) return;
  const char *color = paint(c, st->code ? "\033[1;31m" : "\033[1;33m");
  fprintf(stderr, "%s%s:%s %s", color, st->code ? "error" : "warning", paint(c, "\033[0m"), st->text);
  fprintf(stderr, st->name[0] ? " [%s]\n" : "\n", st->name);
  if (st->hint[0]) fprintf(stderr, "  hint: %s\n", st->hint);
}

int reg_console_end(const reg_console *c, int code, reg_status *st) {
  if (!code && c->lost) code = reg_no_memory(st, 0);
  reg_console_status(c, st);
  return reg_signals_exit_code(code);
}
